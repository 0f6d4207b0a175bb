"""`install.json`: the word beside the database that there is one, whose it is, and how far it had come.

SQLite opens a truncated or missing file as an empty database, and an old copy as if it were the newest. The marker is
written apart from the database, so that neither passes for a first run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from bot.seams.clock import format_time, parse_time
from bot.storage.files import write_atomically
from bot.storage.process import STARTS, get_meta
from bot.storage.schema import lease, order_event, order_intent, signal

MARKER_FILE = "install.json"
FORMAT = "nija-install/1"
MAX_BYTES = 65_536


class MarkerUnreadable(Exception):
    """There is a marker, and it makes no sense. The message says where and why."""


@dataclass(frozen=True)
class InstallMarker:
    """`marks` are counts that never go down in one database; `schema` is the revision it is at."""

    install_id: str
    schema: str
    created_at: datetime
    marks: Mapping[str, int]

    def write(self, directory: Path) -> None:
        """Replace the marker; durable when this returns. Raises `OSError`."""
        content = {
            "format": FORMAT,
            "install_id": self.install_id,
            "schema": self.schema,
            "created_at": format_time(self.created_at),
            "marks": dict(self.marks),
        }
        write_atomically(directory / MARKER_FILE, json.dumps(content, indent=1) + "\n")


def read_marker(directory: Path) -> InstallMarker | None:
    """The marker of a state directory; None when there is none. Raises `MarkerUnreadable`."""
    path = directory / MARKER_FILE
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(MAX_BYTES))
        return _marker_of(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MarkerUnreadable(f"{path} cannot be read ({type(error).__name__}: {error})") from error


def marks_of(connection: Connection) -> dict[str, int]:
    """How far the database has come: its starts, signals, orders, changes of orders, and epochs of leases."""
    return {
        "starts": int(get_meta(connection, STARTS) or 0),
        "signals": _number(connection, func.max(signal.c.sequence)),
        "intents": _number(connection, func.max(order_intent.c.sequence)),
        "order_events": _number(connection, func.max(order_event.c.id)),
        "epochs": _number(connection, func.sum(lease.c.epoch)),
    }


def behind(found: Mapping[str, int], marks: Mapping[str, int]) -> list[str]:
    """What a database has less of than its marker says: `signals 3 of 5`."""
    return [f"{name} {found[name]} of {mark}" for name, mark in marks.items() if found.get(name, mark) < mark]


def _number(connection: Connection, expression: Any) -> int:
    return int(connection.execute(select(func.coalesce(expression, 0))).scalar_one())


def _marker_of(content: Any) -> InstallMarker:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r} is not {FORMAT!r}")
    marks = content["marks"]
    if not all(type(mark) is int for mark in marks.values()):
        raise ValueError("a mark is no whole number")
    if not isinstance(content["install_id"], str) or not content["install_id"]:
        raise ValueError("it has no install_id")
    return InstallMarker(
        install_id=content["install_id"],
        schema=str(content["schema"]),
        created_at=parse_time(content["created_at"]),
        marks=marks,
    )
