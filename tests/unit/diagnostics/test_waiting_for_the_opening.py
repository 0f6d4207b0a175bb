"""`bot.py debts` of a brokerage that trades in sessions: what waits for the opening is owed and not late."""

import pytest

from bot import app
from tests.stored_bot import StoredBot
from tests.unit.diagnostics.books import member
from tests.unit.diagnostics.conftest import Ask
from tests.unit.diagnostics.test_debts import owe


@pytest.mark.parametrize(
    ("last_error", "code", "waits_for"),
    [
        ("waits for the opening at 2026-01-02 14:30 UTC", 0, "the opening at 2026-01-02 14:30 UTC"),
        (
            "waits for the end of the venue's day-trade protection at 2026-01-02 14:30 UTC",
            1,
            "the end of the venue's day-trade protection at 2026-01-02 14:30 UTC",
        ),
    ],
)
def test_an_exit_that_waits_for_the_opening_is_owed_and_not_late(
    bot: StoredBot, ask: Ask, last_error: str, code: int, waits_for: str
) -> None:
    bot.runs()
    bot.accounts()
    member(bot)
    owe(bot, "a", ago=4000, last_error=last_error)
    asked = ask(app.main, "debts", "--json")
    assert asked.code == code
    assert [debt["waits_for"] for debt in asked.json["debts"]] == [waits_for]
