"""What the examples of docs/testing.md test."""
