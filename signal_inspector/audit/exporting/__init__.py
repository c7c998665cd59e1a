"""Taking dispatches out of the log, as JSON Lines or CSV: to a file, a pipe or a browser."""
