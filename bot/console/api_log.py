"""The log's last lines, and the settings in force."""

import json
import re
from pathlib import Path
from typing import Any

from bot.console.answers import Asked, Refusal
from bot.console.query_words import number
from bot.diagnostics.config_show import settings_rows
from bot.observability.logs import LOG_FILE

LONGEST_TAIL = 2_000_000
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LINE = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d+)?) (\w+) +\[([^\]]*)\] (.*)", re.ASCII)


def log_lines(asked: Asked) -> dict[str, Any]:
    """Newest last: `?level=` (that and worse), `?contains=` (an account, an order, a signal), `?limit=`."""
    limit, wanted = number(asked.query, "limit", default=200, most=2000), asked.query.get("level", "INFO").upper()
    if wanted not in LEVELS:
        raise Refusal(400, f"level is one of {', '.join(LEVELS)}")
    contains = asked.query.get("contains", "").lower()[:200]
    levels = set(LEVELS[LEVELS.index(wanted) :])
    lines = [line for line in read_lines(asked.context.settings.state_dir / LOG_FILE) if line["level"] in levels]
    if contains:
        lines = [line for line in lines if contains in f"{line['message']} {line['thread']}".lower()]
    return {"lines": lines[-limit:], "file": LOG_FILE}


def read_lines(path: Path) -> list[dict[str, str]]:
    """The file's last part, a line each; what continues a line (a traceback) belongs to it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LONGEST_TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        made = _read(line)
        if made is not None:
            found.append(made)
        elif found:
            found[-1]["more"] = f"{found[-1].get('more', '')}{line}\n"
    return found


def _read(line: str) -> dict[str, str] | None:
    if line.startswith("{"):
        try:
            said = json.loads(line)
            names = ("time", "level", "thread", "message")
            return {name: str(said[name]) for name in names} | {"more": str(said.get("traceback", ""))}
        except (ValueError, KeyError, TypeError):
            return None
    match = _LINE.fullmatch(line)
    return None if match is None else dict(zip(("time", "level", "thread", "message"), match.groups(), strict=True))


def settings(asked: Asked) -> dict[str, Any]:
    """Every setting as it is in force, with its unit and where it came from; secrets are masked."""
    return {"settings": list(settings_rows(asked.context.settings)), "mode": asked.context.settings.trading_mode}
