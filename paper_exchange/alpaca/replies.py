"""Answers in Alpaca's envelopes. A refusal is ``{"code", "message"}``; its text goes into the journal too.

A code begins with the HTTP status it comes with, but for 40010001, a bad parameter, which comes with 422.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from paper_exchange.http import Reply

UNAUTHORIZED = 40110000
FORBIDDEN = 40310000
DAY_TRADER = 40310100
NOT_FOUND = 40410000
BAD_PARAMETER = 40010001
NOT_POSSIBLE = 42210000
TOO_MANY_REQUESTS = 42910000
INTERNAL = 50010000
UNPROCESSABLE_STATUS = 422


class ApiError(Exception):
    """A request that is turned down; ``more`` stands beside code and message in the answer."""

    def __init__(self, code: int, message: str, more: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.more = dict(more or {})


def json_reply(body: object, *, status: int = 200, error: str | None = None) -> Reply:
    return Reply(json.dumps(body, separators=(",", ":")).encode(), status=status, error=error)


def error_reply(problem: ApiError) -> Reply:
    body = {**problem.more, "code": problem.code, "message": problem.message}
    return json_reply(body, status=status_of(problem.code), error=str(problem))


def nothing_to_say() -> Reply:
    """204: it is done, and there is no body."""
    return Reply(b"", status=204)


def status_of(code: int) -> int:
    return UNPROCESSABLE_STATUS if code == BAD_PARAMETER else code // 100_000


def unauthorized() -> ApiError:
    return ApiError(UNAUTHORIZED, "request is not authorized")
