"""Orders that rest, placed by the running program at the paper exchange and judged by the exchange's journal."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from tests.acceptance.one_brokerage import OneBrokerage

LONG = 120.0
RESTING = {
    "NIJA__ORDERS__ENTRY": "resting",
    "NIJA__ORDERS__EXIT": "resting",
    "NIJA__ORDERS__ENTRY_TTL_SECONDS": "2",
    "NIJA__ORDERS__EXIT_TTL_SECONDS": "1",
    "NIJA__ORDERS__MAX_REPRICES": "2",
    # Wider than the spread, so that an order that was moved is filled, whether or not the market comes to it.
    "NIJA__ORDERS__REPRICE_STEP_BPS": "20",
}
MOVED = "SELECT kind FROM order_intent WHERE chain_step > 0 AND filled_quantity > 0 AND kind = '{}'"


def test_orders_that_rest_are_moved_one_at_a_time_and_never_trade_more_than_was_ordered(tmp_path: Path) -> None:
    with OneBrokerage(tmp_path) as there:
        # Dead between the venue's word that an order is cancelled, and the next one.
        assert there.killed_at("chain_confirmed", seconds=LONG, **RESTING)
        with there.start(**RESTING) as bot:
            for kind in ("entry", "exit"):
                query = MOVED.format(kind)
                there.waits_for(lambda query=query: there.rows(query), f"an {kind} is moved and filled", seconds=LONG)
            assert bot.stop() == 0
        assert resting(there, "buy") == set(), "entries are cancelled at the end"
        assert there.settle() == []
        assert most_at_a_time(there) == 1
        assert resting(there, "buy") | resting(there, "sell") == set()
        assert overtraded(there) == {}
        copied = there.rows("SELECT count(*) AS n FROM copy_result WHERE status = 'copied'")
        assert copied[0]["n"] > 0, "what a master's resting orders fill is copied"


def chain_of(there: OneBrokerage) -> dict[str, str]:
    """Of every order that rested or followed one that did: its chain, by the client's id."""
    rows = there.rows("SELECT client_order_id, chain_id FROM order_intent WHERE chain_id IS NOT NULL")
    return {row["client_order_id"]: row["chain_id"] for row in rows}


def most_at_a_time(there: OneBrokerage) -> int:
    """How many orders of one chain were live at once, by the exchange's journal."""
    chains, live, most = chain_of(there), defaultdict[str, dict[str, Decimal]](dict), 0
    of_order: dict[str, str] = {}
    for line in there.exchange.journal(0):
        order = line["order_id"]
        if line["type"] == "accept" and line["client_order_id"] in chains:
            of_order[order] = chains[line["client_order_id"]]
            live[of_order[order]][order] = Decimal(line["quantity"])
        elif order in of_order and line["type"] == "cancel":
            live[of_order[order]].pop(order, None)
        elif order in of_order and line["type"] == "fill":
            _fills(live[of_order[order]], order, Decimal(line["quantity"]))
        most = max([most, *map(len, live.values())])
    return most


def _fills(live: dict[str, Decimal], order: str, quantity: Decimal) -> None:
    live[order] -= quantity
    if live[order] == 0:
        del live[order]


def resting(there: OneBrokerage, side: str) -> set[str]:
    """Orders of chains that are open at the exchange."""
    chains, left = chain_of(there), dict[str, Decimal]()
    for line in there.exchange.journal(0):
        order = line["order_id"]
        if line["type"] == "accept" and line["client_order_id"] in chains and line["side"] == side:
            left[order] = Decimal(line["quantity"])
        elif order in left and line["type"] == "cancel":
            del left[order]
        elif order in left and line["type"] == "fill":
            _fills(left, order, Decimal(line["quantity"]))
    return set(left)


def overtraded(there: OneBrokerage) -> dict[str, Decimal]:
    """By how much a chain has traded more than its first order was of, by the exchange's journal."""
    chains = chain_of(there)
    ordered = {
        line["client_order_id"]: Decimal(line["quantity"])
        for line in there.accepted()
        if chains.get(line["client_order_id"]) == line["client_order_id"]
    }
    filled = defaultdict[str, Decimal](Decimal)
    of_order = {line["order_id"]: chains.get(line["client_order_id"]) for line in there.accepted()}
    for line in there.exchange.journal(0, type="fill"):
        chain = of_order.get(line["order_id"])
        if chain is not None:
            filled[chain] += Decimal(line["quantity"])
    return {chain: much - ordered[chain] for chain, much in filled.items() if much > ordered[chain]}
