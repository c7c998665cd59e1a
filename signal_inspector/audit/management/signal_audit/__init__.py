"""The subcommands of ``manage.py signal_audit``."""
