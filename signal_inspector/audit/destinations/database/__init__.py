"""The log in a database: its statements, what their errors mean, and batches of rows."""
