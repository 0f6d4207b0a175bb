"""A master looks at everything that its venue lists, and every market has its word."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.account import AccountRef, BrokerType
from bot.storage.scan_cycles import ScanCycle, scans_of
from bot.strategies.interface import EntryIntent, MarketView, NoEntry
from paper_exchange.catalogue import Catalogue
from tests.bot_process import wait_until
from tests.integration.composed_bot import CONFIGURATION, ComposedBot

MASTER = AccountRef.master(BrokerType.KRAKEN)
WISHES = frozenset({"BTC/USD", "ETH/USD", "SOL/USD"})
ALL = CONFIGURATION.replace("composed_bot:PatientStrategy", "test_whole_catalogue:ThreeWishes").replace(
    "risk: {scan_symbols_limit: 1}", "risk: {max_entries_per_cycle: 1}\nscan: {skip_symbols: [SOL/USD, ADA/USD]}"
)


class ThreeWishes:
    """Enters three markets, whatever they do."""

    name = "three_wishes"
    parameters = ()
    candles_needed = 30

    def __init__(self, _values: object) -> None:
        pass

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        if view.symbol in WISHES:
            return EntryIntent(symbol=view.symbol, confidence=Decimal(1), reason="a wish of the test")
        return NoEntry("nobody wishes it", rule="not_wished")

    def exit(self, _view: object, _position: object) -> None:
        return None


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[ComposedBot]:
    with ComposedBot(tmp_path, [], configuration=ALL) as made:
        yield made


def scans(bot: ComposedBot) -> list[ScanCycle]:
    with bot.store.read() as connection:
        return [scan for scan in scans_of(connection, MASTER.label) if not scan.waiting]


def test_every_listed_market_ends_at_one_step_and_every_wish_in_an_order_or_a_veto(bot: ComposedBot) -> None:
    wait_until(lambda: any(scan.of("held") == 2 for scan in scans(bot)), seconds=90, what="both wishes are held")
    listed = {one.symbol: one for one in Catalogue().for_brokerage("kraken")}
    trading = [one for one in listed.values() if one.trades]
    in_dollars = sum(one.quote == "USD" for one in trading)
    seen = scans(bot)
    assert all(scan.mismatch == "" for scan in seen), [scan.mismatch for scan in seen]
    assert {scan.listed for scan in seen} == {len(listed)}
    last = seen[0]
    assert last.counts["filtered"] == {
        "status": len(listed) - len(trading),
        "currency": len(trading) - in_dollars,
        "skipped": 2,
    }
    assert (last.ready, last.passed) == (in_dollars - 4, in_dollars - 4), last
    words = {row["symbol"]: row["stage"] for row in bot.rows("SELECT symbol, stage FROM market_word")}
    assert words.keys() == listed.keys()
    assert (words["BTC/USD"], words["ETH/USD"], words["SOL/USD"]) == ("held", "held", "filtered")
    _each_wish_has_an_end(bot)


def _each_wish_has_an_end(bot: ComposedBot) -> None:
    decisions = bot.rows("SELECT * FROM entry_decision ORDER BY id")
    assert {row["outcome"] for row in decisions} == {"ordered", "vetoed"}
    ordered = {row["symbol"]: row["client_order_id"] for row in decisions if row["outcome"] == "ordered"}
    assert ordered.keys() == {"BTC/USD", "ETH/USD"}
    sent = {row["client_order_id"] for row in bot.rows("SELECT client_order_id FROM order_intent")}
    assert set(ordered.values()) <= sent
    vetoed = [row for row in decisions if row["outcome"] == "vetoed"]
    assert {row["rule"] for row in vetoed} <= {"max_entries_per_cycle", "order_under_way"}
    counted = sum(row["signals"] for row in bot.rows("SELECT signals FROM scan_cycle"))
    assert counted == len(decisions)
    assert all(json.loads(row["counts_json"]) for row in bot.rows("SELECT counts_json FROM scan_cycle WHERE listed"))
