"""The log in a database: statements, what their errors say, and batches of rows."""
