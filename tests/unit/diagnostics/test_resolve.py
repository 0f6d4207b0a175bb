"""`bot.py resolve`: what a person is asked, whose word is taken, and how it is written down."""

from decimal import Decimal

import pytest

from bot import app
from bot.diagnostics import resolve
from bot.domain.order import IntentState, OrderKind
from bot.settings import load_settings
from bot.storage.schema import order_event
from tests.stored_bot import DAIVON, StoredBot
from tests.unit.diagnostics.books import change, copy, member, order, signal, stored
from tests.unit.diagnostics.conftest import Answer, Ask

QUESTION = "the venue's order OABC-1 is to buy 2 BTC/USD, ours was to sell 0.001 BTC/USD"


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts()
    member(bot)
    return bot


@pytest.fixture
def stopped(running: StoredBot) -> StoredBot:
    """What is said to a stopped bot is not waited for."""
    running.ended()
    return running


def say(ask: Ask, *words: str) -> Answer:
    return ask(app.main, "resolve", *words)


def test_without_such_an_order_all_is_well(ask: Ask, running: StoredBot) -> None:
    order(running, "e1", ago=60)
    shown = say(ask)
    assert (shown.code, shown.text.splitlines()[-1]) == (0, "No order needs a person.")


def test_the_question_stands_beside_the_order_with_what_it_blocks(ask: Ask, running: StoredBot) -> None:
    name = order(running, "e1aa77", ago=240, needs_person=QUESTION)
    copy(running, signal(running, "c", OrderKind.EXIT))
    shown = say(ask)
    assert shown.code == 1
    assert "Order e1aa7700: sell 0.001 BTC/USD, exit of daivon_frazier_kraken" in shown.text
    assert QUESTION.split(",", maxsplit=1)[0] in " ".join(shown.text.split())
    assert "1 copy among them, for 4 min" in shown.text
    assert "python bot.py resolve e1aa7700 --not-accepted --by NAME" in shown.text
    assert max(map(len, shown.text.splitlines())) <= 100
    (described,) = say(ask, "--json").json["orders"]
    assert (described["order"], described["venue_shows"]) == (name, QUESTION)


def test_an_order_without_an_outcome_for_15_minutes_is_a_persons_business_too(ask: Ask, running: StoredBot) -> None:
    order(running, "e1", ago=899)
    assert say(ask).code == 0
    order(running, "e2", ago=901)
    assert [one["order"][:2] for one in say(ask, "--json").json["orders"]] == ["e2"]


def test_the_word_and_its_reason_are_written_down_for_the_next_start(ask: Ask, stopped: StoredBot) -> None:
    name = order(stopped, "e1aa", needs_person=QUESTION)
    shown = say(ask, "e1aa", "--accepted-as", "OABC-1", "--by", "Anna", "--reason", "seen on the page", "--yes")
    assert shown.code == 3
    assert "at the next start" in shown.text
    after = stored(stopped, name)
    assert (after.resolution, after.resolved_by, after.state) == ("accepted:OABC-1", "Anna", IntentState.UNKNOWN)
    with stopped.store.read() as connection:
        (event,) = connection.execute(order_event.select()).all()
    assert (event.old, event.new, event.detail) == (
        "unknown",
        "unknown",
        "Anna says accepted:OABC-1: seen on the page",
    )
    assert "Anna says accepted:OABC-1; not carried out yet" in say(ask).text


def test_a_wrong_word_can_be_put_right_until_it_is_carried_out(ask: Ask, stopped: StoredBot) -> None:
    name = order(stopped, "e1aa", needs_person=QUESTION)
    say(ask, "e1aa", "--accepted-as", "TYPO", "--by", "Anna", "--yes")
    shown = say(ask, "e1aa", "--not-accepted", "--by", "Ben", "--yes")
    assert "before, Anna had said accepted:TYPO" in shown.text
    assert (stored(stopped, name).resolution, stored(stopped, name).resolved_by) == ("absent", "Ben")


def test_after_15_minutes_a_word_is_taken_without_a_contradiction(ask: Ask, stopped: StoredBot) -> None:
    name = order(stopped, "e1aa", ago=901)
    assert say(ask, "e1aa", "--not-accepted", "--by", "Anna", "--yes").code == 3
    assert stored(stopped, name).resolution == "absent"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["beef", "--not-accepted"], "There is no order 'beef'"),
        (["xyz!", "--not-accepted"], "not the beginning of an order's id"),
        (["e1", "--not-accepted"], "not the beginning of an order's id"),
        (["e1aa", "--not-accepted"], "is the beginning of 2 orders"),
        (["e2aa", "--not-accepted"], "has its outcome: filled, 0.001 filled"),
        (["e3aa", "--not-accepted"], "needs nobody: it is acknowledged"),
        (["e4aa", "--not-accepted"], "A person may decide from 2"),
        (["e5aa", "--accepted-as", "OTHER"], "another order of ours, e2aa0000"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_a_sentence(
    ask: Ask, stopped: StoredBot, words: list[str], why: str
) -> None:
    order(stopped, "e1aa1", needs_person=QUESTION)
    order(stopped, "e1aa2", needs_person=QUESTION)
    order(stopped, "e2aa", state=IntentState.FILLED, filled_quantity=Decimal("0.001"), venue_order_id="OTHER")
    order(stopped, "e3aa", state=IntentState.ACKNOWLEDGED)
    order(stopped, "e4aa", ago=600)
    order(stopped, "e5aa", needs_person=QUESTION)
    shown = say(ask, *words, "--by", "Anna", "--yes")
    assert (shown.code, shown.text) == (2, "")
    assert why in shown.errors
    assert not any(stored(stopped, name.ljust(32, "0")).resolution for name in ("e1aa1", "e2aa", "e4aa", "e5aa"))


def test_of_several_orders_the_one_that_is_open_is_meant(ask: Ask, stopped: StoredBot) -> None:
    order(stopped, "e1aa1", state=IntentState.FILLED)
    name = order(stopped, "e1aa2", needs_person=QUESTION)
    assert say(ask, "E1AA", "--not-accepted", "--by", "Anna", "--yes").code == 3
    assert stored(stopped, name).resolution == "absent"


@pytest.mark.parametrize(
    "words",
    [
        ["e1aa", "--by", "Anna"],
        ["e1aa", "--by", "Anna", "--not-accepted", "--accepted-as", "O1"],
        ["e1aa", "--not-accepted"],
        ["e1aa", "--not-accepted", "--by", "  "],
        ["e1aa", "--accepted-as", "two words", "--by", "Anna"],
        ["--not-accepted", "--by", "Anna"],
    ],
)
def test_half_a_word_is_wrong_use(ask: Ask, stopped: StoredBot, words: list[str]) -> None:
    name = order(stopped, "e1aa", needs_person=QUESTION)
    with pytest.raises(SystemExit) as ended:
        say(ask, *words, "--yes")
    assert ended.value.code == 2
    assert stored(stopped, name).resolution == ""


def test_where_nobody_can_be_asked_it_wants_yes_in_advance(
    ask: Ask, stopped: StoredBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = order(stopped, "e1aa", needs_person=QUESTION)
    shown = say(ask, "e1aa", "--not-accepted", "--by", "Anna")
    assert shown.code == 2
    assert "--yes" in shown.errors
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for typed, code in (("no", 2), ("yes", 3)):
        monkeypatch.setattr("builtins.input", lambda _prompt, typed=typed: typed)
        assert say(ask, "e1aa", "--not-accepted", "--by", "Anna").code == code
        assert bool(stored(stopped, name).resolution) == (typed == "yes")


def decide(running: StoredBot) -> int:
    word = resolve.Word(order="e1aa", accepted_as=None, by="Anna", sure=True, wait_seconds=0.3)
    return resolve.decide(load_settings(), word)


def test_a_running_bot_that_has_not_come_to_it_yet_is_said_to_do_it_later(
    running: StoredBot, capsys: pytest.CaptureFixture[str]
) -> None:
    order(running, "e1aa", needs_person=QUESTION)
    assert decide(running) == 1
    assert "in its next cycle" in capsys.readouterr().out


def test_nothing_is_said_of_a_state_directory_without_a_database(ask: Ask) -> None:
    shown = say(ask, "e1aa", "--not-accepted", "--by", "Anna", "--yes")
    assert shown.code == 2
    assert "NIJA has not run yet" in shown.errors


def test_the_rest_of_the_account_is_left_alone(ask: Ask, stopped: StoredBot) -> None:
    other = order(stopped, "e2aa", needs_person=QUESTION)
    change(stopped, other, reason="as it was")
    order(stopped, "e1aa", needs_person=QUESTION, account_id=DAIVON.label)
    say(ask, "e1aa", "--not-accepted", "--by", "Anna", "--yes")
    assert (stored(stopped, other).resolution, stored(stopped, other).reason) == ("", "as it was")
