"""The subcommands of ``manage.py signals``, one module each; see ``subcommands.Subcommand``."""
