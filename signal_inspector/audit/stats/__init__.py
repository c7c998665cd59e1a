"""What is counted while the log is written, and the figures read from these counts."""
