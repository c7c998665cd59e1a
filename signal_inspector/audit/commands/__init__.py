"""The parts of ``manage.py signal_audit``, a module for each."""
