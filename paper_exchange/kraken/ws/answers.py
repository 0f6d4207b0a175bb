"""Answers to requests, and the messages that belong to no subscription."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from paper_exchange.clock import rfc3339
from paper_exchange.kraken.ws.numbers import encode, whole
from paper_exchange.kraken.ws.requests import Request

HEARTBEAT = b'{"channel":"heartbeat"}'
VERSION = "2.0.10"


@dataclass(frozen=True, slots=True)
class Answer:
    """Either a ``result`` or, if it is None, an ``error``; ``more`` are further fields beside it."""

    result: object = None
    error: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    def encoded(self, request: Request, received_ns: int, now_ns: int) -> bytes:
        fields: dict[str, object] = {}
        if self.error is not None:
            fields["error"] = self.error
        fields["method"] = request.method
        if request.req_id is not None:
            fields["req_id"] = request.req_id
        if self.error is None:
            fields["result"] = self.result
        fields["success"] = self.error is None
        fields.update(self.more)
        fields["time_in"] = rfc3339(received_ns)
        fields["time_out"] = rfc3339(now_ns)
        return encode(fields)


def pong(request: Request, received_ns: int, now_ns: int) -> bytes:
    fields: dict[str, object] = {"method": "pong"}
    if request.req_id is not None:
        fields["req_id"] = request.req_id
    return encode({**fields, "time_in": rfc3339(received_ns), "time_out": rfc3339(now_ns)})


def status(system: str, connection_id: int) -> bytes:
    """Sent on connect and when ``system`` changes; connection ids exceed 2^53."""
    data = {
        "version": VERSION,
        "system": system,
        "api_version": "v2",
        "connection_id": whole(connection_id),
        "upcoming_maintenance": [],
        "emergency": [],
    }
    return encode({"channel": "status", "type": "update", "data": [data]})
