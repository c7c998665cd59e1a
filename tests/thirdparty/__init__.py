"""A project of real apps with signals of their own: Wagtail and django-allauth."""
