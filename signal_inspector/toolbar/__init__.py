"""The panel for django-debug-toolbar. ``debug_toolbar`` is imported in this package alone."""
