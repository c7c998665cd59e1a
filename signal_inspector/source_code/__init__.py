"""What the source of a project says about signals. Files are read, never imported."""
