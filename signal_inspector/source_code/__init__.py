"""What the source of a project says of signals. Files are read, never imported."""
