"""The counts that are made while the log is written, and the figures read from them."""
