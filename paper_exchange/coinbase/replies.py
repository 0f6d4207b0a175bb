"""Answers in Coinbase's envelopes. Amounts are text; refusals carry the text that goes into the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping

from paper_exchange.http import Reply

STATUS_OF_ERROR = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
OLD_API_STATUS = {"rate_limit_exceeded": 429, "internal_server_error": 500, "not_found": 404}
"""Errors that come in the older API's envelope, also from the rate limiter in front of the new one."""


class ApiError(Exception):
    """A request Coinbase turns down before it is an order: ``error`` is its code, ``details`` a sentence."""

    def __init__(self, error: str, details: str) -> None:
        super().__init__(f"{error}: {details}")
        self.error = error
        self.details = details


def json_reply(body: Mapping[str, object], *, status: int = 200, error: str | None = None) -> Reply:
    # Without spaces, as the venue does: clients look for '"error_details":"Missing required scopes"' in the text.
    return Reply(json.dumps(body, separators=(",", ":")).encode(), status=status, error=error)


def unauthorized(reason: str) -> Reply:
    """401 is plain text at Coinbase and never says why; the journal does."""
    return Reply(
        b"Unauthorized\n", status=401, content_type="text/plain; charset=utf-8", error=f"Unauthorized: {reason}"
    )


def missing_scopes() -> Reply:
    return error_reply("PERMISSION_DENIED", "Missing required scopes")


def error_reply(error: str, details: str) -> Reply:
    body = {"error": error, "error_details": details, "message": details}
    return json_reply(body, status=STATUS_OF_ERROR.get(error, 400), error=f"{error}: {details}")


def old_api_error_reply(error_id: str, message: str, *, status: int | None = None) -> Reply:
    """The envelope of ``/v2`` and of the rate limiter."""
    body = {"errors": [{"id": error_id, "message": message}]}
    return json_reply(body, status=status or OLD_API_STATUS.get(error_id, 400), error=error_id)
