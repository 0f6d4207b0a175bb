"""`bot.py controls`: who asked for what on the page."""

from bot import app
from bot.domain.control import ControlAction, ControlState
from bot.storage import control_requests
from tests.stored_bot import StoredBot, now
from tests.unit.diagnostics.conftest import Ask

REASON = "[b]drill[/b]"


def asked_for(bot: StoredBot, action: ControlAction, number: int) -> int:
    return bot.store.write(
        lambda connection: control_requests.add_request(
            connection, nonce=f"nonce{number}", at=now(), action=action, target="all", details={},
            reason=REASON,
            actor="Anna (page:control)", role="control", address="127.0.0.1", lines=["Entries are off"],
        )
    ).id  # fmt: skip


def test_they_are_listed_newest_first_with_who_and_what_came_of_it(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    assert "Nothing was asked for" in ask(app.main, "controls").text
    first = asked_for(bot, ControlAction.KILL, 1)
    second = asked_for(bot, ControlAction.FLATTEN, 2)
    bot.store.write(
        lambda connection: control_requests.note_request(
            connection, first, state=ControlState.DONE, lines=["Entries are off", "2 of 2"], now=now()
        )
    )
    shown = ask(app.main, "controls")
    assert shown.code == 0
    assert shown.text.index(f"#{second} ") < shown.text.index(f"#{first} ")
    assert "by Anna (page:control) (control, 127.0.0.1): [b]drill[/b]" in shown.text
    assert "  2 of 2" in shown.text
    (listed,) = ask(app.main, "controls", "--limit", "1", "--json").json["controls"]
    assert (listed["action"], listed["state"], listed["lines"]) == ("flatten", "asked", ["Entries are off"])


def test_of_a_stopped_bot_they_are_shown_as_last_seen(ask: Ask, bot: StoredBot) -> None:
    bot.runs()
    asked_for(bot, ControlAction.KILL, 1)
    bot.ended()
    assert ask(app.main, "controls").code == 3
