"""How what was taken gets into the log: a module for each way, and what they share."""
