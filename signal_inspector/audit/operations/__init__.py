"""What can be done with the log, each thing once for the commands and the admin."""
