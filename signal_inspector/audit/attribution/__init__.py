"""Who sends a dispatch, and where: requests, tasks, commands, and their processes."""
