"""Reading variables: `.env` and the environment, and which setting a variable means.

Some settings have a variable of their own (`TRADING_MODE`); every setting can be set by its path:
`NIJA__PACE__PAPER__CYCLE_SECONDS=2`, and for one master `NIJA__MASTERS__KRAKEN__ENABLED=false`.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from dotenv.parser import Binding, parse_stream

from bot.settings.origins import Given, Location

PREFIX = "NIJA__"
CONFIG_DIR_VARIABLE = "NIJA_CONFIG_DIR"
MAX_BYTES = 1_000_000

OWN_VARIABLES: Mapping[str, Location] = MappingProxyType(
    {
        "TRADING_MODE": ("trading_mode",),
        "STATE_DIR": ("state_dir",),
        "DATABASE_URL": ("database_url",),
        "ALLOW_EPHEMERAL": ("allow_ephemeral",),
        "LOG_LEVEL": ("log_level",),
        "LOG_JSON": ("log_json",),
        "METRICS_PORT": ("metrics_port",),
        "MULTI_BROKER_INDEPENDENT": ("multi_broker_independent",),
        "PAPER_EXCHANGE_CONTROL": ("paper", "exchange_control_url"),
        "PAPER_EXCHANGE_TOKEN": ("paper", "exchange_token"),
        "PAPER_SEED": ("paper", "seed"),
        "NIJA_TEST_CLOCK_OFFSET_SECONDS": ("test_clock_offset_seconds",),
        "NIJA_FAILPOINTS": ("failpoints",),
    }
)
# What opens the console: no settings, so that they are in no file but .env.
CONSOLE_PASSWORD, CONSOLE_VIEW_PASSWORD = "NIJA_CONSOLE_PASSWORD", "NIJA_CONSOLE_VIEW_PASSWORD"
CONSOLE_TOKEN, CONSOLE_VIEW_TOKEN = "NIJA_CONSOLE_TOKEN", "NIJA_CONSOLE_VIEW_TOKEN"
CONSOLE_VARIABLES = frozenset({CONSOLE_PASSWORD, CONSOLE_VIEW_PASSWORD, CONSOLE_TOKEN, CONSOLE_VIEW_TOKEN})
# Which build this is, where no .git says it: whoever builds an image names it, or the platform does.
BUILD_VARIABLES = ("NIJA_BUILD", "RAILWAY_GIT_COMMIT_SHA", "RENDER_GIT_COMMIT", "SOURCE_VERSION")
# Ways to people outside: no settings either, because each is a secret or holds one.
TELEGRAM_TOKEN, WEBHOOK_URL, WEBHOOK_SECRET = "NIJA_TELEGRAM_TOKEN", "NIJA_WEBHOOK_URL", "NIJA_WEBHOOK_SECRET"
SMTP_PASSWORD, APPRISE_URLS, DEADMAN_URL = "NIJA_SMTP_PASSWORD", "NIJA_APPRISE_URLS", "NIJA_DEADMAN_URL"
NOTIFICATION_VARIABLES = frozenset(
    {TELEGRAM_TOKEN, WEBHOOK_URL, WEBHOOK_SECRET, SMTP_PASSWORD, APPRISE_URLS, DEADMAN_URL}
)
# Every variable with a name of its own; besides these, all that begin with PREFIX.
KNOWN_VARIABLES = frozenset(
    {*OWN_VARIABLES, CONFIG_DIR_VARIABLE, *CONSOLE_VARIABLES, *BUILD_VARIABLES, *NOTIFICATION_VARIABLES}
)


@dataclass
class Dotenv:
    """What a `.env` file says, and a sentence for each line that cannot be used. No message shows a value."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    problems: list[str] = field(default_factory=list)


def read_dotenv(path: Path | None) -> Dotenv:
    """The file at `path`, without replacing `$NAME` in values (secrets contain `$`); an absent file says nothing."""
    found = Dotenv()
    if path is None or not path.exists():
        return found
    try:
        _read_lines(_text_of(path), path.name, found)
    except UnicodeDecodeError as error:
        found.problems.append(f"{path.name} is not UTF-8 text (byte {error.start + 1})")
    except OSError as error:
        found.problems.append(f"{path.name} cannot be read: {error.strerror or error}")
    return found


def given_by_variables(variables: Mapping[str, str], source: str) -> Iterator[tuple[Location, Given]]:
    """The settings that these variables mean; whether a location exists is for the settings to say."""
    for name in sorted(variables):
        location = OWN_VARIABLES.get(name) or _location_of(name)
        if location:
            yield location, Given(variables[name].strip(), f"{source} {name}", name)


def _location_of(name: str) -> Location | None:
    if not name.startswith(PREFIX):
        return None
    return tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))


def _text_of(path: Path) -> str:
    if not path.is_file():
        raise OSError(0, "it is not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(0, f"it is larger than {MAX_BYTES} bytes")
    return content.decode("utf-8-sig")


def _read_lines(text: str, file_name: str, found: Dotenv) -> None:
    lines: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text)):
        if _is_blank(binding):
            continue
        line = binding.original.line
        if binding.error or binding.key is None or binding.value is None:
            found.problems.append(
                f"{file_name}:{line}: this is not NAME=value; a value of several lines needs double quotes around it"
            )
        elif binding.key in lines and found.values[binding.key] != binding.value:
            found.problems.append(
                f"{file_name}:{line}: {binding.key} already has another value on line {lines[binding.key]}; keep one"
            )
        else:
            found.values[binding.key] = binding.value
            lines.setdefault(binding.key, line)


def _is_blank(binding: Binding) -> bool:
    return binding.key is None and not binding.error
