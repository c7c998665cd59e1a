"""Settings for the servers and workers of these tests: no database, no templates."""

SECRET_KEY = "for the tests alone"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "tests.tracing.project.urls"
MIDDLEWARE: list[str] = []
INSTALLED_APPS = ["signal_inspector", "tests.tracing.project"]
SIGNAL_INSPECTOR = {"SINKS": ["signal_inspector.tracing.TracingSink"]}
