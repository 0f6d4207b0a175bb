"""How a command that lists something of the store answers: one reading, a table or JSON, an exit code."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.listed_accounts import UnknownName
from bot.diagnostics.listing import cannot_read, paper, print_json
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.why_answer import Answer
from bot.diagnostics.why_subject import Unknown
from bot.settings import Settings


@dataclass(frozen=True)
class Seen:
    """The store at one moment."""

    connection: Connection
    settings: Settings
    state: BotState
    now: datetime


def tell(settings: Settings, ask: Callable[[Seen, Answer], None], *, name: str, as_json: bool) -> int:
    """Print what `ask` finds, in one view of the store; `name` is the list that is empty when it cannot be read.

    0 = nothing is wrong, 1 = something is, 2 = there is no such name, 3 = the bot is not running.
    """
    answer = Answer()
    try:
        with read_store(settings) as connection:
            moment = now(settings)
            seen = Seen(connection, settings, bot_state(connection, now=moment), moment)
            ask(seen, answer)
    except (NoStore, UnknownName) as error:
        code = exit_codes.WRONG_USE if isinstance(error, Unknown | UnknownName) else exit_codes.NOT_RUNNING
        return cannot_read(NoStore(str(error)), as_json=as_json, code=code, empty=(name,))
    if as_json:
        print_json(seen.state, mode=seen.state.mode, **answer.json())
    else:
        paper().print(f"{seen.state.sentence}.", soft_wrap=True)
        answer.print(moment)
    if not seen.state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if answer.wrong else exit_codes.OK
