"""Search in the log, in a bounded time no matter how large the log is.

It does not depend on the admin: commands and exports use it as well.
"""
