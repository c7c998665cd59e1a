"""Who sends, and where: requests, tasks, commands, and the processes they run in."""
