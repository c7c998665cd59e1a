"""What the rooms stand on: the wrapper, the record that it makes, and who hears of it."""
