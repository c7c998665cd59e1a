"""The subcommands of ``manage.py signals``: one module for each, see ``base.Subcommand``."""
