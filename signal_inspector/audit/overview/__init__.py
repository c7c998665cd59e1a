"""The overview of the audit: the index page of the app in the admin."""
