"""The basis of all rooms: the wrapper, the record that it makes, and the hearers of the record."""
