"""The audit log: what was dispatched, by whom and with what outcome, kept in the database."""
