"""Every drill by its name, with what it is about. What a drill needs is only imported when it is run."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.diagnostics.drills.stage import Stage

ALL = "all"


@dataclass(frozen=True)
class Drill:
    """`module` has its `run`. `changes` are settings by path that it has otherwise; `only`: a brokerage it is for."""

    name: str
    text: str
    module: str
    changes: Mapping[str, str] = field(default_factory=dict)
    only: str = ""

    def load(self) -> "Callable[[Stage], None]":
        """What carries it out."""
        found: Callable[[Stage], None] = importlib.import_module(f"bot.diagnostics.drills.{self.module}").run
        return found


# Only calls over REST carry nonces.
REST_ALONE = {"kraken.order_entry": "rest", "kraken.private_stream": "false"}
DRILLS: Mapping[str, Drill] = MappingProxyType(
    {
        drill.name: drill
        for drill in (
            Drill("lost-reply", "the reply to a user's accepted order is lost", "lost_reply"),
            Drill("kill", "kill -9 between sending an order and writing down the answer", "kill"),
            Drill("hang", "every call of one user hangs", "hang"),
            Drill("nonce", "a key is used elsewhere; the record of nonces is lost", "nonce", REST_ALONE, "kraken"),
            Drill("silent-feed", "every stream of the brokerage falls silent", "silent_feed"),
            Drill("orphan", "a user who holds copied coins leaves the configuration", "orphan"),
            Drill("flatten", "kill --flatten with positions in every account", "flatten"),
        )
    }
)
