"""Source files as the log names them: the same wherever a deploy has put them."""

from __future__ import annotations

import os
import sys
from functools import lru_cache


@lru_cache(maxsize=4_096)
def short_path(path: str) -> str:
    """A file's path from the directory that Python imports it from: ``shop/services.py``."""
    roots = [root for root in sys.path if root and path.startswith(root.rstrip(os.sep) + os.sep)]
    longest = max(roots, key=len, default="")
    shortened = path[len(longest.rstrip(os.sep)) + 1 :] if longest else path
    return shortened.replace(os.sep, "/")


@lru_cache(maxsize=20_000)
def place(path: str, line: int) -> str:
    """``shop/receivers.py:18``; "" for what has no source file."""
    if not path:
        return ""
    return f"{short_path(path)}:{line}" if line else short_path(path)
