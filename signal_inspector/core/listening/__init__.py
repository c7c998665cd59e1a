"""The captures and sinks that hear of a dispatch, and the contexts in which they do."""
