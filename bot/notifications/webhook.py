"""A webhook: JSON by POST, signed, with ids by which a receiver can tell what it has had before."""

import hashlib
import hmac
import json
from typing import Any

from bot.notifications.delivery import Message, NotDelivered
from bot.notifications.outgoing import Outgoing
from bot.seams.clock import format_time

SIGNATURE, MESSAGE_ID = "X-Nija-Signature", "X-Nija-Message"
# Discord refuses more than 2000.
LONGEST_CONTENT = 1900


class Webhook:
    """`style`: json (all fields), slack (`text`) or discord (`content`). Signed when there is a secret."""

    name = "webhook"

    def __init__(self, outgoing: Outgoing, *, url: str, secret: str, style: str) -> None:
        self._outgoing = outgoing
        self._url = url
        self._secret = secret
        self._style = style

    def send(self, message: Message) -> str:
        body = json.dumps(_fields(message, self._style), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", MESSAGE_ID: message.id}
        if self._secret:
            headers[SIGNATURE] = f"sha256={signature(self._secret, body)}"
        answer = self._outgoing.call("POST", self._url, body=body, headers=headers)
        if not 200 <= answer.status < 300:
            after = answer.headers.get("retry-after", "")
            raise NotDelivered(
                f"the webhook answered {answer.status}"
                + (" (redirects are not followed)" if 300 <= answer.status < 400 else ""),
                retry_after_seconds=float(after) if after.isascii() and after.isdigit() and len(after) < 6 else None,
            )
        return ""

    def cut(self) -> None:
        self._outgoing.cut()


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body, in hex: what the header has after `sha256=`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _fields(message: Message, style: str) -> dict[str, Any]:
    whole = f"{message.title}\n{message.text}"
    if style == "slack":
        return {"text": whole}
    if style == "discord":
        content = whole if len(whole) <= LONGEST_CONTENT else f"{whole[: LONGEST_CONTENT - 1]}…"
        # Nothing that a message quotes may call people.
        return {"content": content, "allowed_mentions": {"parse": []}}
    return {
        "id": message.id,
        "title": message.title,
        "text": message.text,
        "severity": message.severity,
        "at": format_time(message.at),
        "events": [
            {
                "id": item.id,
                "cause": item.cause,
                "subject": item.subject,
                "severity": item.severity,
                "text": item.text,
                "at": format_time(item.at),
            }
            for item in message.items
        ],
    }
