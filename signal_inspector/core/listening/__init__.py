"""Who hears of a dispatch, and where."""
