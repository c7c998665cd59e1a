"""The graph of signals, drawn."""
