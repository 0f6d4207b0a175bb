"""Which ways to people there are, by the settings and the environment, and what is wrong with the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.notifications.by_apprise import Apprise
from bot.notifications.delivery import Channel
from bot.notifications.email import Email
from bot.notifications.outgoing import AddressRefused, Outgoing, check_url
from bot.notifications.telegram import TelegramApi, TelegramChannel
from bot.notifications.webhook import Webhook
from bot.seams.clock import Clock
from bot.settings.env_source import (
    APPRISE_URLS,
    DEADMAN_URL,
    NOTIFICATION_VARIABLES,
    SMTP_PASSWORD,
    TELEGRAM_TOKEN,
    WEBHOOK_SECRET,
    WEBHOOK_URL,
)
from bot.settings.notifications import NotificationSettings


@dataclass
class Ways:
    """`by_kind`: channels that share a thread. `telegram` hears what chats say; `deadman_url` is asked for while all
    is well; "" = none. `problems` say what was meant and cannot be used."""

    by_kind: dict[str, list[Channel]] = field(default_factory=dict)
    telegram: TelegramApi | None = None
    deadman_url: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def channels(self) -> list[Channel]:
        return [channel for kind in self.by_kind.values() for channel in kind]


def find_ways(settings: NotificationSettings, environ: Mapping[str, str], clock: Clock) -> Ways:
    """Nothing is called. With `enabled: false` there is no way at all."""
    ways = Ways()
    if settings.enabled:
        given = {name: environ.get(name, "").strip() for name in NOTIFICATION_VARIABLES}
        _telegram(ways, settings, given, clock)
        _webhook(ways, settings, given, clock)
        _email(ways, settings, given)
        if given[APPRISE_URLS]:
            ways.by_kind["apprise"] = [Apprise(given[APPRISE_URLS])]
        if _may_be_called(ways, DEADMAN_URL, given[DEADMAN_URL], settings):
            ways.deadman_url = given[DEADMAN_URL]
    return ways


def secrets_in(environ: Mapping[str, str]) -> list[str]:
    """What no log may show: tokens, passwords, and addresses that hold one."""
    found = [environ.get(name, "").strip() for name in sorted(NOTIFICATION_VARIABLES)]
    return [word for value in found for word in dict.fromkeys([value, *value.split()]) if word]


def _telegram(ways: Ways, settings: NotificationSettings, given: Mapping[str, str], clock: Clock) -> None:
    token = given[TELEGRAM_TOKEN]
    if not token and not settings.telegram_chats:
        return
    if not token or not settings.telegram_chats:
        missing = "notifications.telegram_chats is empty" if token else f"{TELEGRAM_TOKEN} is not set"
        ways.problems.append(f"Telegram: nobody is told, because {missing}")
        return
    if not all(char.isascii() and (char.isalnum() or char in ":_-") for char in token):
        ways.problems.append(f"Telegram: {TELEGRAM_TOKEN} is no token; @BotFather gives one like 123456:ABC-DEF")
        return
    if not _may_be_called(ways, "notifications.telegram_url", settings.telegram_url, settings):
        return

    def api() -> TelegramApi:
        outgoing = Outgoing(clock, allow_private=settings.allow_private_hosts)
        return TelegramApi(outgoing, base_url=settings.telegram_url, token=token)

    telling = api()
    ways.by_kind["telegram"] = [TelegramChannel(telling, chat) for chat in settings.telegram_chats]
    ways.telegram = api() if settings.telegram_commands else None


def _webhook(ways: Ways, settings: NotificationSettings, given: Mapping[str, str], clock: Clock) -> None:
    if _may_be_called(ways, WEBHOOK_URL, given[WEBHOOK_URL], settings):
        outgoing = Outgoing(clock, allow_private=settings.allow_private_hosts)
        made = Webhook(outgoing, url=given[WEBHOOK_URL], secret=given[WEBHOOK_SECRET], style=settings.webhook_style)
        ways.by_kind["webhook"] = [made]


def _may_be_called(ways: Ways, name: str, url: str, settings: NotificationSettings) -> bool:
    if not url:
        return False
    try:
        check_url(url, allow_private=settings.allow_private_hosts)
    except AddressRefused as error:
        ways.problems.append(f"{name} is not used: {error}")
        return False
    return True


def _email(ways: Ways, settings: NotificationSettings, given: Mapping[str, str]) -> None:
    if not settings.smtp_host and not settings.email_to:
        return
    if not settings.smtp_host or not settings.email_to:
        missing = "email_to is empty" if settings.smtp_host else "smtp_host is not set"
        ways.problems.append(f"E-mail: nobody is told, because notifications.{missing}")
        return
    if settings.smtp_user and not given[SMTP_PASSWORD]:
        ways.problems.append(f"E-mail: notifications.smtp_user is set and {SMTP_PASSWORD} is not")
    ways.by_kind["email"] = [
        Email(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            user=settings.smtp_user or "",
            password=given[SMTP_PASSWORD],
            sender=settings.email_from or settings.email_to[0],
            receivers=settings.email_to,
        )
    ]
