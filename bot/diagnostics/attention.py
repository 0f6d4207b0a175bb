"""What an operator should look into before anything else: one line each, with the command that tells more."""

from datetime import datetime

from sqlalchemy import Connection

from bot.diagnostics.drift import HARMLESS, open_kinds
from bot.diagnostics.listing import age, count
from bot.diagnostics.resolve import asking
from bot.storage import halts
from bot.storage.debts import owed_now


def attention(connection: Connection, moment: datetime) -> list[str]:
    """`2 exits owed, oldest 4 min: python bot.py debts`, and the like; empty when there is nothing."""
    others = (_people(connection, moment), _debts(connection, moment), _drift(connection))
    return [*_halts(connection), *(line for line in others if line)]


def _halts(connection: Connection) -> list[str]:
    """What somebody has stopped comes first: it looks like a quiet market otherwise."""
    return [f"HALTED: {halt.sentence}: python bot.py halts" for halt in halts.all_in_force(connection)]


def _people(connection: Connection, moment: datetime) -> str:
    number = len(asking(connection, moment))
    if not number:
        return ""
    return f"{count(number, 'order')} {'needs' if number == 1 else 'need'} a person: python bot.py resolve"


def _debts(connection: Connection, moment: datetime) -> str:
    owed = owed_now(connection)
    number = sum(owed.exits.values())
    if not number:
        return ""
    return f"{count(number, 'exit')} owed, oldest {age(min(owed.oldest.values()), moment)}: python bot.py debts"


def _drift(connection: Connection) -> str:
    number = sum(kind not in HARMLESS for kind in open_kinds(connection))
    if not number:
        return ""
    return f"{count(number, 'difference')} between brokerage and books: python bot.py drift"
