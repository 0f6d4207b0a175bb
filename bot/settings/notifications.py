"""Settings of what is told to people outside: by Telegram, a webhook, e-mail, or anything that apprise knows."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from bot.settings.section import Section
from bot.settings.values import BaseUrl, Flag, Optional, SomeSeconds, Text, Whole, shown

_CHAT = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\]{1,64}@[A-Za-z0-9.-]{1,190}")
_NO_ADDRESS = "which is not an address such as anna@example.org"


def _items(value: object) -> list[str]:
    """A list, or one text with commas, as a variable would have it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, not {shown(value)}")
    return [str(item) for item in value]


def _read_chats(value: object) -> object:
    items = _items(value)
    for item in items:
        if not _CHAT.fullmatch(item):
            raise ValueError(
                f"has {shown(item)}, which is not the number of a chat; ask the bot @userinfobot for yours"
            )
    return tuple(items)


def _read_addresses(value: object) -> object:
    items = _items(value)
    for item in items:
        if not _ADDRESS.fullmatch(item):
            raise ValueError(f"has {shown(item)}, {_NO_ADDRESS}")
    return tuple(items)


Chats = Annotated[tuple[str, ...], BeforeValidator(_read_chats)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_read_addresses)]


class NotificationSettings(Section):
    """Who is told of what, and how often. Tokens, passwords and addresses with a secret are in the environment."""

    enabled: Flag = Field(default=True, description="false = nobody outside is told of anything")
    name: Text = Field(default="NIJA", description="how messages begin; for whoever has more than one bot")
    least: Literal["info", "warning", "critical"] = Field(
        default="info", description="least severe message sent: info, warning or critical"
    )
    page_minutes: Annotated[Whole, Field(ge=1, le=1440)] = Field(
        default=15, description="one cause is told of at most this often, unless it becomes more severe"
    )
    most_per_hour: Annotated[Whole, Field(ge=4, le=1000)] = Field(
        default=20,
        description="messages by one channel; what comes beyond waits and is told together",
        json_schema_extra={"unit": "messages"},
    )
    allow_private_hosts: Flag = Field(
        default=False, description="webhook and dead-man URL may be http:// or inside the own network"
    )
    telegram_chats: Chats = Field(
        default=(),
        description="who is told by Telegram and may send it commands; token in NIJA_TELEGRAM_TOKEN",
        json_schema_extra={"unit": "chat ids"},
    )
    telegram_commands: Flag = Field(default=True, description="false = these chats are told and cannot ask or stop")
    telegram_url: BaseUrl = Field(default="https://api.telegram.org", description="where Telegram's bots are served")
    webhook_style: Literal["json", "slack", "discord"] = Field(
        default="json", description="form of what is sent to NIJA_WEBHOOK_URL: json, slack or discord"
    )
    email_to: Addresses = Field(
        default=(), description="who is told by e-mail", json_schema_extra={"unit": "addresses"}
    )
    email_from: Optional[Text] = Field(default=None, description="sender of e-mails; null = the first of email_to")
    smtp_host: Optional[Text] = Field(default=None, description="server that takes e-mails")
    smtp_port: Annotated[Whole, Field(ge=1, le=65_535)] = Field(
        default=587, description="of that server", json_schema_extra={"unit": "port"}
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls or none; none sends no password"
    )
    smtp_user: Optional[Text] = Field(default=None, description="its user; password in NIJA_SMTP_PASSWORD")
    deadman_seconds: Annotated[SomeSeconds, Field(ge=1, le=3600)] = Field(
        default=60.0, description="while all is well NIJA_DEADMAN_URL is asked for so often; whoever misses that calls"
    )

    @field_validator("email_from")
    @classmethod
    def _an_address(cls, value: str | None, _info: ValidationInfo) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise ValueError(f"is {shown(value)}, {_NO_ADDRESS}")
        return value
