"""Reading the log: what is asked for, and finding it in a bounded time however large the log is.

Knows nothing of the admin: commands and exports read by it too.
"""
