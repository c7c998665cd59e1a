from __future__ import annotations

import os
import signal
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    # A shell that runs the tests in the background has them ignore Ctrl-C, which ends the server.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("OTLP_SHOP_EXPORTS") == "by hand":
        from tests.otlp.shop import exporting

        exporting.start()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
