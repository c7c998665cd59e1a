"""The wrapper around the methods of ``django.dispatch.Signal``."""
