"""`bot.py symbols` and `bot.py drift`: what is kept from being entered, and where brokerage and books differ."""

import pytest

from bot import app
from bot.diagnostics.drift import HARMLESS, WORDS
from bot.domain.drift import DriftKind
from bot.domain.order import OrderKind
from bot.storage.drifts import add_cleared, note_drift
from bot.storage.symbol_pauses import pause_reason
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now
from tests.unit.diagnostics.books import member, signal
from tests.unit.diagnostics.conftest import Ask

USER = DAIVON.label


@pytest.fixture
def running(bot: StoredBot) -> StoredBot:
    bot.runs()
    bot.accounts()
    member(bot)
    signal(bot, "a", OrderKind.ENTRY)
    return bot


def paused(bot: StoredBot) -> str:
    with bot.store.read() as connection:
        return pause_reason(connection, USER, "BTC/USD")


def test_a_pause_is_written_shown_and_ended(ask: Ask, running: StoredBot) -> None:
    done = ask(app.main, "symbols", "pause", USER, "btc-usd", "--reason", "holds it for the long run")
    assert (done.code, paused(running)) == (0, "holds it for the long run")
    shown = ask(app.main, "symbols")
    assert shown.code == 0
    assert "holds it for the long run" in shown.text
    assert max(map(len, shown.text.splitlines())) <= 100
    (row,) = ask(app.main, "symbols", "--json").json["paused"]
    assert (row["account"], row["symbol"], row["copied_position"]) == (USER, "BTC/USD", False)
    again = ask(app.main, "symbols", "pause", USER, "BTC/USD", "--reason", "another")
    assert "was paused before: holds it for the long run" in again.text
    assert ask(app.main, "symbols", "resume", USER, "BTC/USD").code == 0
    assert paused(running) == ""
    assert "No symbol is paused" in ask(app.main, "symbols").text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["pause", "daivon_frazer_kraken", "BTC/USD"], "Did you mean daivon_frazier_kraken?"),
        (["pause", "kraken", "BTC/USD"], "kraken is a master"),
        (["pause", USER, "BTD/USD"], "Did you mean BTC/USD?"),
        (["pause", USER, "BTC"], "is not a symbol"),
        (["resume", USER, "BTC/USD"], "has no paused symbol"),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(ask: Ask, running: StoredBot, words: list[str], why: str) -> None:
    reason = ["--reason", "because"] if words[0] == "pause" else []
    shown = ask(app.main, "symbols", *words, *reason)
    assert (shown.code, shown.text) == (2, "")
    assert why in shown.errors
    assert paused(running) == ""


def test_resuming_another_symbol_names_the_paused_ones(ask: Ask, running: StoredBot) -> None:
    ask(app.main, "symbols", "pause", USER, "BTC/USD", "--reason", "because")
    assert "Paused are: BTC/USD. Did you mean BTC/USD?" in ask(app.main, "symbols", "resume", USER, "BTD/USD").errors


def test_a_market_that_was_never_traded_is_paused_when_one_is_sure(ask: Ask, running: StoredBot) -> None:
    assert ask(app.main, "symbols", "pause", USER, "ETH/USD", "--reason", "because", "--yes").code == 0
    assert [row["symbol"] for row in ask(app.main, "symbols", "--json").json["paused"]] == ["ETH/USD"]


@pytest.mark.parametrize("words", [["pause"], ["resume", USER], ["pause", USER, "BTC/USD"], ["end", USER, "BTC/USD"]])
def test_half_a_wish_is_wrong_use(ask: Ask, running: StoredBot, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(app.main, "symbols", *words)
    assert ended.value.code == 2


# -- drift
def note(bot: StoredBot, kind: DriftKind, subject: str, *, gone: bool = False) -> None:
    write = add_cleared if gone else note_drift
    bot.store.write(
        lambda connection: write(connection, KRAKEN.label, kind, subject, detail="5 is there, 6 booked", now=now())
    )


def test_when_all_agrees_it_says_so(ask: Ask, running: StoredBot) -> None:
    shown = ask(app.main, "drift")
    assert (shown.code, "agree" in shown.text) == (0, True)


@pytest.mark.parametrize("kind", DriftKind)
def test_every_kind_has_words_and_ends_with_1_unless_it_is_harmless(
    ask: Ask, running: StoredBot, kind: DriftKind
) -> None:
    note(running, kind, "BTC/USD")
    shown = ask(app.main, "drift")
    assert shown.code == (0 if kind in HARMLESS else 1)
    (row,) = ask(app.main, "drift", "--json").json["drifts"]
    assert (row["kind"], row["meaning"], row["readings"]) == (str(kind), WORDS[kind], 1)
    assert "5 is there, 6 booked" in " ".join(shown.text.split())
    assert max(map(len, shown.text.splitlines())) <= 100


def test_what_is_gone_is_shown_on_request_and_is_nothing_wrong(ask: Ask, running: StoredBot) -> None:
    note(running, DriftKind.SHORTFALL, "BTC/USD", gone=True)
    assert ask(app.main, "drift", "--json").json["drifts"] == []
    shown = ask(app.main, "drift", "--all")
    assert shown.code == 0
    assert "gone for" in shown.text
