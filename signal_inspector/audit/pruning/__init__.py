"""Deleting from the log: by age, by number, or all that is about one object or actor."""
