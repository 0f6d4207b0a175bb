"""`python bot.py limits` and `vetoes`: where each account stands, what was held back, and a person's word."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.diagnostics import limits, vetoes
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.position import ExitPlan, Position
from bot.domain.veto import Veto, VetoRule
from bot.risk.loss_rules import day_of
from bot.settings import load_settings
from bot.storage import intents, positions, risk_marks
from bot.storage import vetoes as veto_rows
from bot.storage.intents import OrderIntent
from bot.storage.risk_marks import RiskMark, find_mark
from tests.stored_bot import DAIVON, KRAKEN, StoredBot, now, write_configuration

Say = Callable[..., tuple[int, Any]]
CONFIGURATION = """\
masters:
  - {broker: kraken}
risk: {max_positions: 1, max_account_notional_usd: 2000, max_drawdown_percent: 20}
"""


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoredBot]:
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(write_configuration(tmp_path, masters=CONFIGURATION)))
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    with StoredBot(tmp_path) as stored:
        stored.runs()
        stored.accounts((KRAKEN, DAIVON))
        yield stored


@pytest.fixture
def say(bot: StoredBot, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command with JSON; gives its code and what it printed."""

    def run(command: Callable[..., int], *words: Any, **more: Any) -> tuple[int, Any]:
        code = command(load_settings(), *words, as_json=True, **more)
        return code, json.loads(capsys.readouterr().out)

    return run


def mark(bot: StoredBot, **changes: Any) -> None:
    values: dict[str, Any] = {
        "account_id": KRAKEN.label,
        "quote_currency": "USD",
        "day": day_of(now()),
        "day_start_profit": Decimal(0),
        "peak_profit": Decimal(300),
        "profit": Decimal(50),
        "day_start_equity": Decimal(1000),
        "peak_equity": Decimal(1250),
        "equity": Decimal(1000),
        "realised_profit": Decimal(0),
        "counted_fills": 0,
        "marked_at": now(),
        "problem": "",
    }
    bot.store.write(lambda connection: risk_marks.save_mark(connection, RiskMark(**(values | changes))))


def hold(bot: StoredBot, *, quantity: str = "1") -> None:
    item = Position(
        account_id=KRAKEN.label,
        symbol="BTC/USD",
        quantity=Decimal(quantity),
        average_entry_price=Decimal(1500),
        opened_at=now(),
        highest_price=Decimal(1500),
        exit_plan=ExitPlan(),
    )
    bot.store.write(lambda connection: positions.save_position(connection, item))


def standing(said: Any, setting: str, account: str = "kraken") -> dict[str, Any]:
    (one,) = (one for one in said["accounts"] if one["account"] == account)
    found: dict[str, Any] = next(limit for limit in one["limits"] if limit["setting"] == setting)
    return found


def test_limits_show_each_accounts_distance_and_what_vetoes(bot: StoredBot, say: Say) -> None:
    hold(bot)
    mark(bot)
    code, said = say(limits.show, account=None)
    assert code == 1
    assert standing(said, "max_positions")["vetoes"] is True
    assert standing(said, "max_positions", DAIVON.label)["vetoes"] is False
    spent = standing(said, "max_account_notional_usd")
    assert (spent["now"], spent["left"], spent["vetoes"]) == ("1500", "500", False)
    fallen = standing(said, "max_drawdown_percent")
    assert (fallen["now"], fallen["limit"], fallen["vetoes"]) == ("20", "20", True)


def test_limits_say_what_is_not_known(bot: StoredBot, say: Say) -> None:
    hold(bot, quantity="2")
    bot.store.write(lambda connection: connection.exec_driver_sql("UPDATE position SET quantity = 'NaN'"))
    _, said = say(limits.show, account="kraken")
    spent = standing(said, "max_account_notional_usd")
    assert (spent["now"], spent["vetoes"]) == (None, True)
    assert spent["why"]


def test_a_person_ends_a_drawdown_and_is_named(bot: StoredBot, say: Say) -> None:
    mark(bot)
    code, said = say(limits.reset, "kraken", by="Anna", reason="reviewed")
    assert (code, said["done"]) == (0, True)
    with bot.store.read() as connection:
        after = find_mark(connection, "kraken")
    assert after is not None
    assert (after.peak_profit, after.peak_equity) == (50, 1000)
    assert (after.reset_by, after.reset_reason, after.reset_at is None) == ("Anna", "reviewed", False)
    _, said = say(limits.show, account="kraken")
    assert standing(said, "max_drawdown_percent")["now"] == "0"


@pytest.mark.parametrize(
    ("account", "changes", "why"),
    [
        ("krakn", {}, "Did you mean kraken?"),
        (DAIVON.label, {}, "has no mark yet"),
        ("kraken", {"profit": None, "problem": "BTC/USD has no price"}, "BTC/USD has no price"),
    ],
)
def test_a_reset_is_refused_where_it_would_mean_nothing(
    bot: StoredBot, say: Say, account: str, changes: dict[str, Any], why: str
) -> None:
    mark(bot, **changes)
    code, said = say(limits.reset, account, by="Anna", reason="reviewed")
    assert (code, said["done"]) == (2, False)
    assert why in said["said"]


def test_vetoes_are_listed_with_the_numbers_that_were_compared(bot: StoredBot, say: Say) -> None:
    intent = OrderIntent(
        client_order_id="a" * 32,
        account_id=KRAKEN.label,
        signal_id=None,
        decision="test",
        symbol="BTC/USD",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        order_type=OrderType.MARKET,
        quantity=Decimal(1),
        limit_price=None,
        balance_before=None,
        exit_plan=ExitPlan(),
        created_at=now(),
    )
    why = Veto(VetoRule.MAX_POSITIONS, "kraken has 8 positions, the cap is 8", {"max_positions": "8"})

    def work(connection: Any) -> None:
        intents.add_intent(connection, intent)
        veto_rows.add_veto(connection, intent, why, at=now())
        veto_rows.add_veto(connection, intent, why, at=now() - timedelta(days=2))

    bot.store.write(work)
    code, said = say(vetoes.run, from_moment=None, account=None, limit=50)
    assert (code, said["total"]) == (1, 1)
    (row,) = said["vetoes"]
    assert (row["account"], row["symbol"], row["rule"]) == ("kraken", "BTC/USD", "max_positions")
    assert (row["numbers"], row["client_order_id"]) == ({"max_positions": "8"}, "a" * 32)
    assert say(vetoes.run, from_moment=None, account=DAIVON.label, limit=50)[0] == 0
    assert say(vetoes.run, from_moment=now() - timedelta(days=3), account=None, limit=50)[1]["total"] == 2


def test_people_get_tables(bot: StoredBot, capsys: pytest.CaptureFixture[str]) -> None:
    mark(bot)
    settings = load_settings()
    limits.show(settings, account=None, as_json=False)
    vetoes.run(settings, from_moment=None, account=None, limit=5, as_json=False)
    printed = capsys.readouterr().out
    for words in ("max_drawdown_percent", "VETOES", "No entry was vetoed since"):
        assert words in printed
