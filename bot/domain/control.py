"""What a person can ask for on the page or by its API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ControlAction(StrEnum):
    """Pause, close only and kill let nothing in any more (they differ in what people mean by them); flatten sells."""

    KILL = "kill"
    PAUSE = "pause"
    CLOSE_ONLY = "close_only"
    FLATTEN = "flatten"
    RESUME = "resume"
    RESOLVE = "resolve"
    PAUSE_SYMBOL = "pause_user_symbol"
    RESUME_SYMBOL = "resume_user_symbol"
    ACK_ALERT = "ack_alert"
    ADD_FAVOURITE = "add_favourite"
    REMOVE_FAVOURITE = "remove_favourite"


STOPPING = frozenset({ControlAction.KILL, ControlAction.PAUSE, ControlAction.CLOSE_ONLY, ControlAction.FLATTEN})
# What stops, sells or lets go on is shown first and confirmed then.
IN_TWO_STEPS = STOPPING | {ControlAction.RESUME, ControlAction.RESOLVE}


class ControlState(StrEnum):
    ASKED = "asked"  # written down, and in force as far as rows alone can be
    TAKEN = "taken"  # the bot has seen it and is at it
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class ControlRequest:
    """One request. `nonce` is made by whoever asks: the same one twice is one request. `lines` say what was done."""

    id: int
    nonce: str
    at: datetime
    action: ControlAction
    target: str
    details: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    actor: str
    role: str
    address: str
    state: ControlState = ControlState.ASKED
    taken_at: datetime | None = None
    ended_at: datetime | None = None
    lines: tuple[str, ...] = ()
