"""`bot.py cost` and `bot.py export`: a dated word on unknown costs, and rows for a spreadsheet."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from bot import app
from bot.domain.cash_event import CashKind
from tests.bot_process import ROOT
from tests.stored_bot import COINBASE, KRAKEN, StoredBot
from tests.unit.diagnostics.conftest import Answer, Ask
from tests.unit.diagnostics.ledger import Ledger, at, runs_at

MARKS = {"BTC": "100", "ETH": "50"}


@pytest.fixture
def kraken(bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """1 BTC was there before; 2 ETH came in on 2 November."""
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, at(4, "12:01"))))
    books = Ledger(bot, KRAKEN, opened=at(1, "06:00"), units={"USD": "1000", "BTC": "1"}, prices=MARKS)
    books.close(at(2, "00:00"), MARKS)
    books.cash(at(2, "10:00"), CashKind.DEPOSIT, "ETH", "2")
    books.close(at(3, "00:00"), MARKS)
    books.sell(at(3, "10:00"), "BTC/USD", "0.4", "120")
    books.close(at(4, "00:00"), MARKS | {"BTC": "130"})
    books.point(at(4, "12:00"), MARKS | {"BTC": "130"})
    return books


def say(ask: Ask, asset: str, quantity: str, cost: str, day: str) -> Answer:
    words = ["--quantity", quantity, "--cost", cost, "--date", day, "--by", "Anna", "--reason", "invoice 17"]
    return ask(app.main, "cost", "kraken", asset, *words)


def test_what_has_an_unknown_cost_is_listed_and_in_no_profit(ask: Ask, kraken: Ledger) -> None:
    shown = ask(app.main, "cost", "--json")
    found = {one["asset"]: one["quantity"] for one in shown.json["unknown"]}
    assert (shown.code, found) == (1, {"BTC": "0.6", "ETH": "2"})
    assert "before the books began" in ask(app.main, "cost").text
    (account,) = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    # 0.4 BTC sold at 120 and 0.6 now at 130 are 26 more than 1 BTC at 100.
    assert (account["net"], account["other_holdings"], account["net_deposits"]) == ("0", "26", "100")


def test_a_word_makes_what_was_sold_a_realised_profit(ask: Ask, kraken: Ledger) -> None:
    said = say(ask, "BTC", "0.6", "30", "2024-03-01")
    assert said.code == 0
    assert "0.6 BTC of kraken cost 30 USD on 2024-03-01, says Anna: invoice 17" in said.text
    kraken.restate(at(4, "12:00"))
    (account,) = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    # The word is about the oldest 0.6: 0.4 of them were sold for 48 and had cost 20, 0.2 are left.
    assert account["realised"] == "28"
    assert [one["quantity"] for one in ask(app.main, "cost", "--json").json["unknown"]] == ["0.4", "2"]
    assert ask(app.main, "cost", "--json").json["said"][0]["by"] == "Anna"
    # What the day rows add up to has not changed: the money is the same, it has only got a name.
    parts = sum(float(account[name]) for name in ("net", "other_holdings"))
    assert round(parts, 9) == 26


def test_more_than_is_unknown_is_refused_and_nothing_is_written(ask: Ask, kraken: Ledger) -> None:
    refused = say(ask, "BTC", "0.7", "30", "2024-03-01")
    assert refused.code == 2
    assert "the cost of 0.6 BTC of kraken is unknown, so that of 0.7 cannot be said" in refused.errors
    assert say(ask, "DOGE", "1", "1", "2024-03-01").code == 2
    assert ask(app.main, "cost", "--json").json["said"] == []


def test_the_same_units_cannot_be_given_a_cost_twice_before_the_days_are_computed(ask: Ask, kraken: Ledger) -> None:
    assert say(ask, "BTC", "0.6", "30", "2024-03-01").code == 0
    again = say(ask, "BTC", "0.6", "30", "2024-03-01")
    assert again.code == 2
    assert "have been said" in again.errors


def test_a_day_after_the_coins_came_in_is_refused(ask: Ask, kraken: Ledger) -> None:
    refused = say(ask, "ETH", "2", "80", "2026-11-03")
    assert refused.code == 2
    assert "only 0 ETH of unknown cost came in on 2026-11-03 or later" in refused.errors
    assert say(ask, "ETH", "2", "80", "2026-11-01").code == 0
    assert say(ask, "BTC", "0.1", "80", "2027-01-01").code == 2


def test_the_day_of_a_word_is_one_of_the_zone_that_is_set(
    ask: Ask, bot: StoredBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, at(4, "12:01"))))
    monkeypatch.setenv("NIJA__BOOKS__TIME_ZONE", "Asia/Tokyo")
    books = Ledger(bot, KRAKEN, opened=at(1, "06:00"), units={"USD": "1000"}, zone="Asia/Tokyo")
    # Early on the third in Tokyo.
    books.cash(at(2, "20:00"), CashKind.DEPOSIT, "ETH", "2")
    books.close(at(4, "11:00"), MARKS)
    assert "2026-11-03" in ask(app.main, "cost").text
    assert say(ask, "ETH", "2", "80", "2026-11-04").code == 2
    assert say(ask, "ETH", "2", "80", "2026-11-03").code == 0
    books.restate(at(4, "11:30"))
    shown = ask(app.main, "cost")
    assert "cost 80 USD on 2026-11-03" in shown.text
    assert "The cost of all that is held is known" in shown.text


def test_an_account_without_books_takes_no_word(ask: Ask, kraken: Ledger) -> None:
    kraken.bot.account(COINBASE)
    words = ["--quantity", "1", "--cost", "1", "--date", "2024-01-01", "--by", "Anna", "--reason", "x"]
    refused = ask(app.main, "cost", "coinbase", "BTC", *words)
    assert refused.code == 2
    assert "have not begun" in refused.errors


@pytest.mark.parametrize("given", [["--quantity", "0"], ["--cost", "-1"], ["--quantity", "1e400"], ["--date", "today"]])
def test_half_a_word_or_nonsense_is_refused(
    ask: Ask, kraken: Ledger, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        app.main(["cost", "kraken", "BTC", *given])
    assert stopped.value.code == 2


def test_each_ledger_is_exported_in_the_order_of_time(ask: Ask, kraken: Ledger, home: Path) -> None:
    kraken.buy(at(4, "10:00"), "SOL/USD", "0.00000001", "55", fee="0.1")
    for ledger, expected in (("fills", ["0.4", "0.00000001"]), ("cash", ["2"]), ("days", None), ("orders", [])):
        target = home / f"{ledger}.csv"
        assert ask(app.main, "export", ledger, "--csv", str(target)).code == 0
        rows = list(csv.DictReader(target.read_text(encoding="utf-8").splitlines()))
        if expected is None:
            assert [row["day"] for row in rows] == ["2026-11-01", "2026-11-02", "2026-11-03"]
        else:
            assert [row.get("quantity", row.get("amount")) for row in rows] == expected


def test_an_export_keeps_to_its_days_and_its_account(ask: Ask, kraken: Ledger) -> None:
    asked = ["--csv", "-", "--from", "2026-11-02", "--to", "2026-11-03"]
    days = ask(app.main, "export", "days", *asked).text.splitlines()[1:]
    assert [line[:10] for line in days] == ["2026-11-02", "2026-11-03"]
    assert len(ask(app.main, "export", "fills", *asked).text.splitlines()) == 2
    kraken.bot.account(COINBASE)
    assert len(ask(app.main, "export", "fills", *asked, "--account", "coinbase").text.splitlines()) == 1
    refused = ask(app.main, "export", "fills", *asked, "--account", "kraker")
    assert (refused.code, refused.text) == (2, "")
    assert "Did you mean kraken?" in refused.errors


def test_no_cell_can_be_run_as_a_formula(ask: Ask, kraken: Ledger) -> None:
    kraken.cash(at(4, "11:00"), CashKind.DEPOSIT, "=HYPERLINK(1)", "1")
    rows = list(csv.DictReader(ask(app.main, "export", "cash", "--csv", "-").text.splitlines()))
    assert rows[-1]["asset"] == "'=HYPERLINK(1)"


def test_a_reader_that_has_enough_ends_the_export_quietly(kraken: Ledger, home: Path) -> None:
    for number in range(200):
        kraken.cash(at(3, f"{number // 60 + 10}:{number % 60:02}"), CashKind.DEPOSIT, "USD", "1")
    command = [sys.executable, "bot.py", "export", "cash", "--csv", "-"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as export:
        assert export.stdout is not None and export.stderr is not None
        export.stdout.close()
        said = export.stderr.read()
        assert (export.wait(60), said) == (0, "")
