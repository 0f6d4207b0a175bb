"""One word for the whole bot: trading, waiting or stopped; and the first thing that keeps anybody from trading."""

from collections.abc import Sequence
from typing import Any

from bot.diagnostics.overview import Overview
from bot.domain.halt import Halt


def word_of(overview: Overview, stopped: Sequence[Halt]) -> dict[str, Any]:
    """`trading`, `waiting` or `stopped`, with the sentence that goes with it."""
    everything = next((halt for halt in stopped if halt.scope == "all"), None)
    if not overview.state.running:
        return {"state": "stopped", "text": "Stopped", "why": overview.state.sentence}
    if everything is not None:
        return {"state": "stopped", "text": "Stopped", "why": everything.sentence}
    trading = [one for one in overview.accounts if not one.why_not_trading]
    if trading:
        return {"state": "trading", "text": "Trading", "why": overview.sentence}
    return {"state": "waiting", "text": "Waiting", "why": _first_reason(overview)}


def first_gate(overview: Overview, stopped: Sequence[Halt]) -> str:
    """The first thing that keeps anybody from trading, in words; empty when nothing does."""
    if not overview.state.running:
        return overview.state.sentence
    if stopped:
        return stopped[0].sentence
    return _first_reason(overview)


def _first_reason(overview: Overview) -> str:
    waiting = [one for one in overview.accounts if one.why_not_trading and not one.not_configured]
    if waiting:
        return f"{waiting[0].label}: {waiting[0].why_not_trading}"
    return "" if any(not one.why_not_trading for one in overview.accounts) else "no account has a key"
