"""`python bot.py controls`: what was asked for on the page or by its API, by whom, and what came of it."""

from collections.abc import Sequence
from typing import Any

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command, number
from bot.diagnostics.listing import cannot_read, count, paper, print_json, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.domain.control import ControlRequest
from bot.settings import Settings
from bot.storage.control_requests import latest_requests


def add(commands: Commands) -> None:
    made = add_command(
        commands,
        "controls",
        "what was asked for on the page: kill, pause, flatten, resume and the like, by whom, and what came of it",
        lambda settings, words: run(settings, as_json=words.json, limit=words.limit),
        codes="0 shown, 2 wrong use or configuration, 3 the bot is not running (then: as last seen)",
        examples=["controls", "controls --limit 5 --json"],
    )
    made.add_argument("--limit", type=number, default=50, metavar="N", help="how many (default 50)")


def run(settings: Settings, *, as_json: bool, limit: int) -> int:
    """Print the newest requests, newest first. 0 = shown, 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            requests = latest_requests(connection, limit=limit)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("controls",))
    if as_json:
        print_json(state, controls=[_fields(each) for each in requests])
    else:
        _print(state, requests)
    return exit_codes.OK if state.running else exit_codes.NOT_RUNNING


def _fields(request: ControlRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "at": time_text(request.at),
        "action": str(request.action),
        "target": request.target,
        "details": dict(request.details),
        "reason": request.reason,
        "actor": request.actor,
        "role": request.role,
        "address": request.address,
        "state": str(request.state),
        "taken_at": time_text(request.taken_at),
        "ended_at": time_text(request.ended_at),
        "lines": list(request.lines),
    }


def _print(state: BotState, requests: Sequence[ControlRequest]) -> None:
    console = paper()
    console.print(state.sentence, soft_wrap=True)
    if not requests:
        console.print("Nothing was asked for on the page.")
        return
    console.print(f"{count(len(requests), 'request')}, newest first.")
    for request in requests:
        reason = f": {request.reason}" if request.reason else ""
        console.print(
            f"\n#{request.id} {time_text(request.at)} {request.action} {request.target}, {request.state}\n"
            f"  by {request.actor} ({request.role}, {request.address or 'unknown address'}){reason}",
            markup=False,
            soft_wrap=True,
        )
        for line in request.lines:
            console.print(f"  {line}", markup=False, soft_wrap=True)
