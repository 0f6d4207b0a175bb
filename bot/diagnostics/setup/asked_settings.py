"""The few settings a set-up asks for: the limits that matter, and who is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import ValidationError

from bot.diagnostics.setup.dialogue import WrongAnswer
from bot.domain.errors import ConfigurationError
from bot.settings import Settings
from bot.settings.env_source import SMTP_PASSWORD, TELEGRAM_TOKEN, WEBHOOK_URL
from bot.settings.model import OperatorSettings


@dataclass(frozen=True)
class Asked:
    """One setting, by its dotted name, and how it is asked for.

    `listed`: several values, written as a list. `needed`: without it the rest makes no sense.
    """

    name: str
    question: str
    listed: bool = False
    needed: bool = False

    @property
    def flag(self) -> str:
        """`--max-daily-loss-percent`."""
        return "--" + self.name.rpartition(".")[2].replace("_", "-")


LIMITS: Sequence[Asked] = (
    Asked("risk.max_daily_loss_percent", "No entries for the rest of the day after losing so many percent"),
    Asked("risk.max_drawdown_percent", "No entries after losing so many percent since the account's peak"),
    Asked("risk.max_positions", "Most positions of one account at a time"),
    Asked("risk.order_fraction_of_balance_percent", "Part of the balance in one entry, in percent"),
)


@dataclass(frozen=True)
class Channel:
    """A way to tell people: settings, and the variable of its secret."""

    settings: Sequence[Asked]
    secret: str
    secret_question: str


CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        "telegram": Channel(
            (
                Asked(
                    "notifications.telegram_chats",
                    "Number of your chat (@userinfobot tells it)",
                    listed=True,
                    needed=True,
                ),
            ),
            TELEGRAM_TOKEN,
            "Token of your bot (from @BotFather)",
        ),
        "webhook": Channel(
            (Asked("notifications.webhook_style", "Its form: json, slack or discord"),),
            WEBHOOK_URL,
            "Address of the webhook (https://…)",
        ),
        "email": Channel(
            (
                Asked("notifications.email_to", "Who gets e-mails (addresses, with commas)", listed=True, needed=True),
                Asked("notifications.smtp_host", "Server that sends them, as smtp.example.org", needed=True),
                Asked("notifications.smtp_user", "Your user name there"),
            ),
            SMTP_PASSWORD,
            "Your password there",
        ),
    }
)


def in_force(settings: Settings, name: str) -> str:
    """A setting as `nija.yaml` would write it; a list without its brackets, blank for none."""
    text = settings.origins[name].value_text
    return "" if text == "null" else text.removeprefix("[").removesuffix("]")


def as_yaml(asked: Asked, answer: str) -> str:
    """The answer as `nija.yaml` writes it. Raises `WrongAnswer` by the setting's own rules."""
    text = answer.strip()
    empty = not text or text.lower() in ("none", "null")
    value: object = text
    if asked.listed:
        value, text = ([], "[]") if empty else (text, f"[{_quoted_items(text)}]")
    else:
        value, text = (None, "null") if empty else (text, _quoted(text))
    section, _, name = asked.name.partition(".")
    try:
        OperatorSettings.model_validate({section: {name: value}})
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]
        raise WrongAnswer(_sentence(str(said["msg"]))) from error
    return text


def setting_of_flag(asked: Asked, text: str) -> str:
    """The same for a word of the command line. Raises `ConfigurationError`."""
    try:
        return as_yaml(asked, text)
    except WrongAnswer as error:
        raise ConfigurationError(f"{asked.flag}: {error}") from error


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return text if text.startswith("must") else f"the answer {text}"


def _quoted_items(text: str) -> str:
    return ", ".join(_quoted(part.strip()) for part in text.split(",") if part.strip())


def _quoted(text: str) -> str:
    """Bare where YAML cannot mistake it: a chat below zero, an address and a host name are texts either way."""
    if text and all((letter.isalnum() and letter.isascii()) or letter in "-+._@/" for letter in text):
        return text if text[0] not in "-@" or text[1:].isdigit() else f'"{text}"'
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
