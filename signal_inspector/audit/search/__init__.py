"""The log as it is asked for and found, in a bounded time however large the log is.

Knows nothing of the admin: commands and exports read by it too.
"""
