"""Django's own tests, run bare, beside the idle wrapper, and with every signal recorded."""
