"""Tags for the templates of the audit."""
