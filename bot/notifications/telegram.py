"""Telegram's bot API (core.telegram.org/bots/api): telling a chat, and hearing what chats say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.notifications.delivery import Message, NotDelivered
from bot.notifications.outgoing import TIMEOUT_SECONDS, Answer, Outgoing

# Telegram refuses more than 4096.
LONGEST_TEXT = 4000
# How long Telegram keeps a question for news open before it answers that there is none.
POLL_SECONDS = 20


@dataclass(frozen=True)
class Update:
    """One message of a chat. `id` grows; `text` is empty for what is no text.

    `sender` is the name that is shown, `sender_id` the number that nobody can change; both "" = not said.
    """

    id: int
    chat: str
    text: str
    at: datetime
    sender: str
    sender_id: str


class TelegramApi:
    """The three methods that are used. The token is part of the address: no error shows it."""

    def __init__(self, outgoing: Outgoing, *, base_url: str, token: str) -> None:
        self._outgoing = outgoing
        self._url = f"{base_url}/bot{token}"

    def cut(self) -> None:
        self._outgoing.cut()

    def send(self, chat: str, text: str) -> None:
        """Raises `NotDelivered`."""
        shown = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
        self._ask("sendMessage", {"chat_id": int(chat), "text": shown, "disable_web_page_preview": True})

    def updates(self, offset: int, *, wait_seconds: int = POLL_SECONDS) -> Sequence[Update]:
        """Those from `offset` on; Telegram forgets the earlier ones. Waits for one. Raises `NotDelivered`."""
        asked = {"offset": offset, "timeout": wait_seconds, "allowed_updates": ["message"]}
        found = self._ask("getUpdates", asked, timeout_seconds=wait_seconds + TIMEOUT_SECONDS)
        if not isinstance(found, list):
            raise NotDelivered("Telegram answered with something else than a list")
        return [update for update in map(_update, found) if update is not None]

    def _ask(self, method: str, body: Mapping[str, Any], *, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
        answer = self._outgoing.call(
            "POST",
            f"{self._url}/{method}",
            body=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            timeout_seconds=timeout_seconds,
        )
        said = _json(answer)
        if answer.status != 200 or said.get("ok") is not True:
            raise _refused(answer, said)
        return said.get("result")


class TelegramChannel:
    """One chat."""

    def __init__(self, api: TelegramApi, chat: str) -> None:
        self._api = api
        self._chat = chat

    @property
    def name(self) -> str:
        return f"telegram:{self._chat}"

    def send(self, message: Message) -> str:
        self._api.send(self._chat, f"{message.title}\n\n{message.text}")
        return ""

    def cut(self) -> None:
        self._api.cut()


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _refused(answer: Answer, said: Mapping[str, Any]) -> NotDelivered:
    parameters = said.get("parameters")
    after = parameters.get("retry_after") if isinstance(parameters, dict) else None
    words = str(said.get("description") or "no reason given")[:200]
    return NotDelivered(
        f"Telegram refused it ({answer.status}): {words}",
        retry_after_seconds=float(after) if isinstance(after, int) and 0 <= after <= 86_400 else None,
    )


def _update(found: Any) -> Update | None:
    if not isinstance(found, dict) or type(found.get("update_id")) is not int:
        return None
    message = found.get("message")
    message = message if isinstance(message, dict) else {}
    chat, at = message.get("chat"), message.get("date")
    sender = found_sender if isinstance(found_sender := message.get("from"), dict) else {}
    return Update(
        id=found["update_id"],
        chat=str(chat.get("id", "")) if isinstance(chat, dict) else "",
        text=text if isinstance(text := message.get("text"), str) else "",
        at=datetime.fromtimestamp(at if type(at) is int and 0 <= at < 2**33 else 0, UTC),
        sender=str(sender.get("username") or sender.get("id") or "")[:40],
        sender_id=str(sender.get("id") or sender.get("username") or "")[:40],
    )
