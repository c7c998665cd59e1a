"""What stands around ``django.dispatch.Signal``."""
