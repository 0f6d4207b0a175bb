"""What the scripts beside this file share: run a client's calls one by one and print what came back as JSON.

They run with .venv-peers, so they import nothing of this project. A call that raises leaves ``{"error", "message"}``
under its name; the test decides whether that was right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


class Report:
    """Results of calls by name. ``options`` is what the test sent on stdin."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = json.load(sys.stdin)
        self._results: dict[str, Any] = {}

    def call(self, name: str, action: Callable[[], Any]) -> Any:
        """Run one call and keep its result or its exception; returns the result, None after an exception."""
        try:
            result = action()
        except Exception as problem:  # noqa: BLE001 - whatever a client raises is what the test wants to see
            self._results[name] = {"error": type(problem).__name__, "message": str(problem)[:500]}
            return None
        self._results[name] = result
        return result

    def print(self) -> None:
        json.dump(self._results, sys.stdout, default=str)
