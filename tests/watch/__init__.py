"""Watching from a terminal: the sink, the socket, what is shown, and real servers."""
