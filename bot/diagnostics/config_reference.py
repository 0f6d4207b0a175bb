"""`python3 bot.py config reference`: every setting and variable as a page of Markdown, docs/configuration.md."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydantic.fields import FieldInfo

from bot import exit_codes
from bot.brokers.credential_names import fields_of
from bot.domain.account import BrokerType
from bot.settings.env_source import OWN_VARIABLES, PREFIX
from bot.settings.exchanges import ExchangeSettings
from bot.settings.model import MasterSettings, MasterStrategySettings, OperatorSettings
from bot.settings.origins import Location, dotted, leaves, unit_of, value_text

HEAD = """# Configuration

Every setting, with its default, unit and meaning. This page is what `python3 bot.py config reference` prints;
`python3 bot.py config show` tells what is in force and where it came from.

Settings are read in this order, and the later wins: the defaults, `config/nija.yaml`, `.env`, the environment, the
command line. A setting that does not exist, or whose value makes no sense, stops the start with file, line and what was
expected. The bot reads them when it starts: after a change, stop it and start it again. `null` means *none*: a limit
that is `null` is switched off.

Users have files of their own: [users.md](users.md). Secrets (keys, passwords, tokens) belong into `.env` or the
platform's variables, never into `config/`: [.env.example](../.env.example) has them all to fill in.
"""

_REMARKS: Mapping[str, str] = MappingProxyType(
    {
        "masters": "In the file a list, each with its `broker`; a variable names the brokerage. Shown for Kraken's.",
        "exchanges": "None by default ([brokers.md](brokers.md)). Shown for one that is called `bybit`.",
        "copying": "Users may have settings of their own ([users.md](users.md)).",
        "strategy": "The parameters of each strategy: [strategies.md](strategies.md).",
    }
)
_ABOUT_KEYS = """For live mode; paper mode needs none. `<NAME>` is the `user_id` in capitals (`DAIVON_FRAZIER`), or the
first word of it when that means one user only. Of an exchange under `exchanges` its own name stands first:
`BYBIT_MASTER_API_KEY`."""
# Variables that are no setting. What they hold is in no file but `.env`.
WITHOUT_SETTING: Mapping[str, str] = MappingProxyType(
    {
        "NIJA_CONFIG_DIR": "the directory with `nija.yaml` and `users/`, in place of the project's `config`",
        "NIJA_CONSOLE_PASSWORD": "opens the console to look and to control; at least 10 characters",
        "NIJA_CONSOLE_VIEW_PASSWORD": "opens the console to look only; at least 10 characters",
        "NIJA_CONSOLE_TOKEN": "the same as the password, for scripts; at least 22 characters",
        "NIJA_CONSOLE_VIEW_TOKEN": "the same as the view password, for scripts; at least 22 characters",
        "NIJA_TELEGRAM_TOKEN": "of the bot that writes and takes commands at Telegram",
        "NIJA_WEBHOOK_URL": "address that notifications are posted to",
        "NIJA_WEBHOOK_SECRET": "what these posts are signed with",
        "NIJA_SMTP_PASSWORD": "of the server that takes e-mails",
        "NIJA_APPRISE_URLS": "further ways to be told, as apprise writes them",
        "NIJA_DEADMAN_URL": "address that is asked for while all is well, so that silence is noticed",
        "NIJA_BUILD": "which build this is, where no `.git` says it; Railway, Render and Heroku tell it themselves",
        "PORT": "set by hosting platforms: the console listens on it, for everybody",
        "TARGET_DATABASE_URL": "where `python bot.py copy-books` copies the books to",
    }
)
_OWN_NAMES: Mapping[Location, str] = MappingProxyType({location: name for name, location in OWN_VARIABLES.items()})
_SETTINGS = ("name", "default", "unit", "meaning", "variable")

Leaf = tuple[Location, object, FieldInfo]
Row = Mapping[str, str]


def run(*, as_json: bool) -> int:
    """Print the page, or its settings alone as JSON."""
    if as_json:
        print(json.dumps([dict(row_of(leaf)) for leaf in settings_with_examples()], indent=2))
    else:
        print(page(), end="")
    return exit_codes.OK


def page() -> str:
    """The whole page, ending with a line break."""
    return "\n".join([HEAD, *map(_section, _sections()), _keys(), _other_variables()])


def settings_with_examples() -> list[Leaf]:
    """Every setting once. Masters stand as one called kraken, named exchanges as one called bybit."""
    found = [leaf for leaf in leaves(OperatorSettings()) if leaf[0][0] not in ("masters", "exchanges")]
    master, own = MasterSettings(broker=BrokerType.KRAKEN), MasterStrategySettings()
    masters = [leaf for leaf in leaves(master, ("masters", "kraken")) if leaf[0][-1] not in ("broker", "strategy")]
    exchange = ExchangeSettings(ccxt_id="bybit")
    return [
        *found,
        *masters,
        *leaves(own, ("masters", "kraken", "strategy")),
        *leaves(exchange, ("exchanges", "bybit")),
    ]


def row_of(leaf: Leaf) -> Row:
    location, value, info = leaf
    return {
        "name": dotted(location),
        "default": value_text(value) or '""',
        "unit": unit_of(str(location[-1]), info),
        "meaning": info.description or "",
        "variable": variable_of(location),
    }


def variable_of(location: Location) -> str:
    """The variable that sets it: one of its own, or the way to it."""
    return _OWN_NAMES.get(location) or PREFIX + "__".join(str(part).upper() for part in location)


def _sections() -> list[str]:
    """In the order of config/nija.yaml; the first, without a name, is of those settings that are in no section."""
    named = [info.alias or name for name, info in OperatorSettings.model_fields.items()]
    among = {str(leaf[0][0]) for leaf in settings_with_examples() if len(leaf[0]) > 1}
    return ["", *(name for name in named if name in among)]


def _section(name: str) -> str:
    """The settings of one section; those of `pace.live` and the like stand in the same table."""
    chosen = [leaf for leaf in settings_with_examples() if (str(leaf[0][0]) if len(leaf[0]) > 1 else "") == name]
    rows = [_in_back_quotes(row_of(leaf), "name", "default", "variable") for leaf in chosen]
    return _table(f"`{name}`" if name else "In no section", _words_of(name), _SETTINGS, rows)


def _words_of(name: str) -> str:
    found = [info.description for key, info in OperatorSettings.model_fields.items() if (info.alias or key) == name]
    sentence = f"{found[0][:1].upper()}{found[0][1:]}." if found and found[0] else ""
    return f"{sentence} {_REMARKS[name]}" if name in _REMARKS else sentence


def _keys() -> str:
    rows = [_keys_of(broker) for broker in BrokerType]
    return _table("Keys of brokerages", _ABOUT_KEYS, tuple(rows[0]), rows)


def _keys_of(broker: BrokerType) -> Row:
    endings, brokerage = fields_of(broker), broker.value.upper()
    return {
        "of its master": ", ".join(f"`{brokerage}_MASTER_{ending}`" for ending in endings),
        "of a user": ", ".join(f"`{brokerage}_USER_<NAME>_{ending}`" for ending in endings),
    }


def _other_variables() -> str:
    rows = [{"variable": f"`{name}`", "meaning": meaning} for name, meaning in WITHOUT_SETTING.items()]
    return _table("Variables that are no setting", "", ("variable", "meaning"), rows)


def _in_back_quotes(row: Row, *names: str) -> Row:
    return {name: f"`{text}`" if name in names else text for name, text in row.items()}


def _table(title: str, words: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    cells = [columns, ["---"] * len(columns), *([row[name] for name in columns] for row in rows)]
    lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)
    return "\n".join([f"## {title}", *([words] if words else []), "", *lines, ""])
