"""`bot.py pnl` and `bot.py money`: what was made, with hand-computed figures, and both saying the same."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot import app
from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashKind
from tests.stored_bot import COINBASE, DAIVON, KRAKEN, StoredBot
from tests.unit.diagnostics.conftest import Ask
from tests.unit.diagnostics.ledger import Ledger, at, runs_at

NOW = at(3, "12:01")
BINANCE = AccountRef.master(BrokerType.BINANCE)


@pytest.fixture
def kraken(bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Three days of the master: the first two closed, the third running. It held 1 BTC before, of unknown cost."""
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, NOW)))
    books = Ledger(bot, KRAKEN, opened=at(1, "06:00"), units={"USD": "10000", "BTC": "1"}, prices={"BTC": "100"})
    books.buy(at(1, "10:00"), "ETH/USD", "10", "100", fee="2.6")
    books.cash(at(1, "11:00"), CashKind.DEPOSIT, "USD", "500")
    books.close(at(2, "00:00"), {"BTC": "100", "ETH": "110"})
    books.sell(at(2, "10:00"), "ETH/USD", "4", "120", fee="1.2")
    books.buy(at(2, "11:00"), "SOL/USD", "1", "50", fee="0.01", fee_in="SOL")
    books.cash(at(2, "12:00"), CashKind.WITHDRAWAL, "USD", "-200")
    books.close(at(3, "00:00"), {"BTC": "105", "ETH": "115", "SOL": "55"})
    books.sell(at(3, "10:00"), "ETH/USD", "6", "90", fee="1")
    books.point(at(3, "12:00"), {"BTC": "103", "SOL": "52"})
    return books


def amounts(fields: dict[str, Any], *names: str) -> list[Decimal]:
    return [Decimal(fields[name]) for name in names]


def numbers(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


TERMS = ("realised", "unrealised_change", "fees", "net_deposits", "income", "other_holdings", "difference")


def test_each_day_is_what_one_computes_by_hand(ask: Ask, kraken: Ledger) -> None:
    shown = ask(app.main, "pnl", "--all", "--json")
    assert shown.code == 0
    (account,) = shown.json["accounts"]
    one, two, three = account["days"]
    assert [day["day"] for day in account["days"]] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert amounts(one, *TERMS) == numbers("0", "100", "2.6", "500", "0", "0", "0")
    assert amounts(two, *TERMS) == numbers("80", "-5.05", "1.7", "-200", "0", "5", "0")
    assert amounts(three, *TERMS) == numbers("-60", "-92.97", "1", "0", "0", "-2", "0")
    assert [Decimal(day["equity"]) for day in account["days"]] == numbers("10697.4", "10575.65", "10419.68")


def test_a_stretch_is_the_sum_of_its_days_and_the_identity_holds(ask: Ask, kraken: Ledger) -> None:
    (account,) = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    assert amounts(account, *TERMS) == numbers("20", "1.98", "5.3", "300", "0", "3", "0")
    assert amounts(account, "net", "opening_equity", "equity") == numbers("16.68", "10100", "10419.68")
    changed = Decimal(account["equity"]) - Decimal(account["opening_equity"])
    assert changed == sum(numbers(account["net"], account["net_deposits"], account["other_holdings"]))
    assert (account["running"], account["until"]) == (True, "2026-11-03T12:00:00.000000Z")


def test_the_running_day_is_shown_as_it_will_be_closed(ask: Ask, kraken: Ledger) -> None:
    (running,) = ask(app.main, "pnl", "--today", "--json").json["accounts"]
    kraken.close(at(4, "00:00"), {"BTC": "103", "SOL": "52"})
    days = ["--from", "2026-11-03", "--to", "2026-11-03"]
    (closed,) = ask(app.main, "pnl", *days, "--json").json["accounts"]
    assert closed["running"] is False
    assert amounts(closed, *TERMS, "net", "equity") == amounts(running, *TERMS, "net", "equity")


def test_the_last_seven_days_are_all_of_a_short_history(ask: Ask, kraken: Ledger) -> None:
    whole, week = (ask(app.main, "pnl", which, "--json").json["accounts"] for which in ("--all", "--7d"))
    assert week == whole


def test_how_it_was_traded_is_counted_from_closing_orders(ask: Ask, kraken: Ledger) -> None:
    (account,) = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    assert (account["judged"], account["wins"], account["losses"]) == (2, 1, 1)
    assert amounts(account, "win_rate", "fee_share", "turnover") == numbers("0.5", "0.06625", "2070")
    # A unit of the account gained on the first two days (the withdrawal of 200 is no loss) and fell on the third.
    fallen = 1 - Decimal("10419.68") / Decimal("10575.65")
    assert abs(Decimal(account["max_drawdown"]) - fallen) < Decimal("1e-20")
    # Of what was there at the beginning, only the BTC moved: from 100 to 103.
    assert Decimal(account["hold"]) == 3


def test_a_day_end_without_prices_is_no_drawdown(ask: Ask, bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, at(4, "12:00"))))
    books = Ledger(bot, KRAKEN, opened=at(1, "06:00"), units={"USD": "1000"})
    books.buy(at(1, "10:00"), "ETH/USD", "9", "100")
    books.close(at(2, "00:00"), {"ETH": "100"})
    books.cash(at(2, "11:00"), CashKind.DEPOSIT, "USD", "1000")
    books.close(at(3, "00:00"), {})
    books.close(at(4, "00:00"), {"ETH": "90"})
    (account,) = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    assert [day["status"] for day in account["days"]][:3] == ["ok", "unpriced", "ok"]
    assert [Decimal(day["equity"]) for day in account["days"]][:3] == numbers("1000", "1100", "1910")
    assert Decimal(account["max_drawdown"]) == Decimal("0.045"), "90 of 1,000 and the 1,000 that had come"


def test_money_and_pnl_say_the_same(ask: Ask, kraken: Ledger) -> None:
    money, pnl = ask(app.main, "money", "--json").json, ask(app.main, "pnl", "--all", "--json").json
    assert money["accounts"][0]["equity"] == pnl["accounts"][0]["equity"] == "10419.68"
    assert money["accounts"][0]["net_deposits"] == pnl["accounts"][0]["net_deposits"] == "300"
    assert money["totals"][0]["equity"] == pnl["totals"][0]["equity"] == "10419.68"
    assert money["totals"][0]["net_deposits"] == pnl["totals"][0]["net_deposits"]
    parts = amounts(money["accounts"][0], "cash_available", "cash_held", "positions_value")
    assert sum(parts) == Decimal("10419.68")
    assert money["mode"] == pnl["mode"] == "paper"


def test_what_has_no_price_is_shown_apart_and_in_no_sum(ask: Ask, kraken: Ledger) -> None:
    kraken.point(at(3, "12:00"), {"BTC": "103"})
    shown = ask(app.main, "money", "--json")
    (account,) = shown.json["accounts"]
    assert (account["unpriced"], account["equity"]) == ({"SOL": "0.99"}, "10368.2")
    assert [position["asset"] for position in account["positions"]] == ["BTC"]
    assert shown.code == 1
    assert "without a fresh price, and in no sum: 0.99 SOL" in ask(app.main, "money").text


def test_an_account_that_was_never_read_is_unknown_and_not_zero(ask: Ask, kraken: Ledger) -> None:
    kraken.bot.account(COINBASE)
    shown = ask(app.main, "money", "--json")
    unread = next(one for one in shown.json["accounts"] if one["account"] == "coinbase")
    assert (unread["equity"], unread["cash_available"], unread["net_deposits"]) == (None, None, None)
    assert shown.json["totals"][0]["equity"] is None
    made = ask(app.main, "pnl", "--json")
    unmade = next(one for one in made.json["accounts"] if one["account"] == "coinbase")
    assert (unmade["net"], unmade["realised"]) == (None, None)
    assert "have not begun" in unmade["problem"]
    assert (shown.code, made.code) == (1, 1)
    assert "unknown" in ask(app.main, "pnl").text


def test_currencies_are_not_summed_unless_the_settings_say_so(
    ask: Ask, kraken: Ledger, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    books = Ledger(kraken.bot, BINANCE, opened=at(3, "06:00"), units={"USDT": "100"}, currency="USDT")
    books.point(at(3, "12:00"), {})
    (together,) = ask(app.main, "pnl", "--json").json["totals"]
    assert (together["currencies"], together["at_par"], together["equity"]) == (["USD", "USDT"], True, "10519.68")
    assert "counted one to one" in ask(app.main, "money").text
    file = home / "config" / "nija.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "risk: {at_par_with_usd: []}\n", encoding="utf-8")
    totals = ask(app.main, "pnl", "--json").json["totals"]
    assert [(one["currencies"], one["equity"]) for one in totals] == [(["USDT"], "100"), (["USD"], "10419.68")]


def test_explain_shows_each_lot_that_was_closed_and_its_part_of_both_fees(ask: Ask, kraken: Ledger) -> None:
    (account,) = ask(app.main, "pnl", "--all", "--explain", "--json").json["accounts"]
    first, second = account["closed"]
    names = ("quantity", "proceeds", "cost", "gain", "opening_fee", "closing_fee", "net")
    assert amounts(first, *names) == numbers("4", "480", "400", "80", "1.04", "1.2", "77.76")
    assert amounts(second, *names) == numbers("6", "540", "600", "-60", "1.56", "1", "-62.56")
    assert sum(Decimal(one["gain"]) for one in account["closed"]) == Decimal(account["realised"])
    text = ask(app.main, "pnl", "--all", "--explain").text
    assert "4 ETH of lot T1 by trade T3: 480 - 400 = 80 USD, fees 1.04 + 1.2, net 77.76, held 24 h" in text
    assert (
        "equity 10419.68 = 10100 + 20 (realised) + 1.98 (unrealised change) - 5.3 (fees) + 300 (net deposits)" in text
    )


def test_what_the_venue_has_and_the_books_do_not_is_named_by_asset(ask: Ask, kraken: Ledger) -> None:
    kraken.units["USD"] -= 7
    kraken.point(at(3, "12:00"), {"BTC": "103", "SOL": "52"})
    shown = ask(app.main, "pnl", "--json")
    (account,) = shown.json["accounts"]
    assert (account["difference"], account["days"][0]["status"]) == ("-7", "broken")
    assert account["days"][0]["differences"] == {"USD": {"units": "-7", "value": "-7"}}
    assert shown.code == 1
    assert "the brokerage has 7 USD less than the books say" in ask(app.main, "pnl").text


def test_a_reading_while_orders_are_out_proves_nothing_and_says_so(ask: Ask, kraken: Ledger) -> None:
    kraken.close(at(4, "00:00"), {"BTC": "103", "SOL": "52"})
    kraken.point(at(4, "06:00"), {"BTC": "103", "SOL": "52"}, settled=False)
    (account,) = ask(app.main, "pnl", "--all", "--json").json["accounts"]
    assert account["days"][-1]["status"] == "unproven"
    assert "orders were under way" in account["days"][-1]["problem"]


def test_figures_that_are_too_old_for_a_running_bot_are_said_to_be(
    ask: Ask, kraken: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(kraken.bot, at(3, "15:00"))))
    words = "its figures are of 3 h ago: it has not been read since"
    for command in ("money", "pnl"):
        assert f"kraken: {words}" in ask(app.main, command).text
    assert ask(app.main, "money").code == 1
    assert ask(app.main, "money", "--json").json["accounts"][0]["problem"] == words


def test_a_day_on_which_nothing_was_read_is_unknown(ask: Ask, kraken: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(kraken.bot, at(5, "09:00"))))
    (account,) = ask(app.main, "pnl", "--today", "--json").json["accounts"]
    assert (account["net"], account["equity"], account["days"]) == (None, None, [])
    assert "it was last read at 2026-11-03 12:00 UTC" in account["problem"]


def test_days_go_into_a_spreadsheet(ask: Ask, kraken: Ledger, home: Path) -> None:
    ask(app.main, "pnl", "--all", "--csv", str(home / "days.csv"))
    rows = list(csv.DictReader((home / "days.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["net"] for row in rows] == ["97.4", "73.25", "-153.97"]
    assert (home / "days.csv").stat().st_mode & 0o777 == 0o600
    printed = ask(app.main, "pnl", "--all", "--csv", "-").text
    assert printed == (home / "days.csv").read_text(encoding="utf-8")
    assert ask(app.main, "pnl", "--csv", str(home / "nowhere" / "days.csv")).code == 2


def test_an_unknown_account_is_refused_with_the_known_ones(ask: Ask, kraken: Ledger) -> None:
    for command in ("pnl", "money", "cost"):
        given = ["kraker"] if command == "cost" else ["--account", "kraker"]
        shown = ask(app.main, command, *given)
        assert shown.code == 2
        assert "Did you mean kraken?" in shown.errors


def test_before_the_first_run_they_say_what_to_run(ask: Ask) -> None:
    for command in ("pnl", "money", "cost"):
        shown = ask(app.main, command)
        assert (shown.code, shown.text) == (3, "")
        assert "./start.sh" in shown.errors


def test_a_stopped_bot_is_said_and_the_figures_are_those_of_then(ask: Ask, kraken: Ledger) -> None:
    kraken.bot.ended()
    shown = ask(app.main, "pnl", "--all", "--json")
    assert (shown.code, shown.json["running"], shown.json["accounts"][0]["net"]) == (3, False, "16.68")


def test_tables_fit_a_page(ask: Ask, kraken: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger(kraken.bot, DAIVON, opened=at(3, "06:00"), units={"USD": "123456.78"})
    for command in ("pnl", "money"):
        lines = ask(app.main, command).text.splitlines()
        tables = [line for line in lines if line.startswith(" ")]
        assert tables and max(map(len, tables)) <= 100


def test_every_figure_of_the_json_is_exact_text(ask: Ask, kraken: Ledger) -> None:
    def floats(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [found for key, one in value.items() if "age" not in key for found in floats(one)]
        if isinstance(value, list):
            return [found for one in value for found in floats(one)]
        return [value] if isinstance(value, float) else []

    for command in (["pnl", "--all", "--explain"], ["money"]):
        assert floats(json.loads(ask(app.main, *command, "--json").text)) == []
