"""The bot is dead, the price falls, and the exchange sells what the bot held: once, and the next bot's books say so."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from tests.acceptance.hand_traded import HandTraded
from tests.bot_process import wait_until

ON = {"NIJA__RISK__PROTECTIVE_STOPS": "true"}
ETH = "ETH/USD"
UNFINISHED = "SELECT symbol FROM order_intent WHERE state NOT IN ('filled', 'cancelled', 'rejected', 'abandoned')"


def rows(there: HandTraded, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{there.state / 'nija.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def resting(there: HandTraded, name: str) -> list[Decimal]:
    """What is left of the sales that are open at the exchange, by its journal."""
    left: dict[str, Decimal] = {}
    for line in there.exchange.journal(account=name, symbol=ETH):
        order = str(line.get("order_id"))
        if line["type"] == "accept" and line["side"] == "sell":
            left[order] = Decimal(line["quantity"])
        elif order in left and line["type"] == "fill":
            left[order] -= Decimal(line["quantity"])
        elif order in left and line["type"] in ("cancel", "expire"):
            del left[order]
    return [quantity for quantity in left.values() if quantity]


def is_guarded(there: HandTraded, name: str, quantity: str) -> None:
    wait_until(
        lambda: resting(there, name) == [Decimal(quantity)],
        seconds=60,
        what=f"a stop of {quantity} rests for {name}, not {resting(there, name)}",
    )


def books_are_even(there: HandTraded) -> bool:
    return rows(there, "SELECT symbol FROM position UNION ALL " + UNFINISHED) == []


def test_a_dead_bots_positions_are_sold_by_the_exchange_once_and_booked_by_the_next_bot(tmp_path: Path) -> None:
    with HandTraded(tmp_path, ann={}) as there:
        with there.start(**ON) as bot:
            there.master.trades("buy", "4", ETH)
            is_guarded(there, "master", "4")
            is_guarded(there, "ann", "2")
            # A part is sold, and what rests is a stop of the rest.
            there.master.trades("sell", "1", ETH)
            there.comes_to("ann", ETH, "1.5")
            is_guarded(there, "master", "3")
            is_guarded(there, "ann", "1.5")
            bot.kill()
        died_at = there.exchange.last_seq()
        there.exchange.set_price(ETH, "1500")
        for name in ("master", "ann"):
            there.comes_to(name, ETH, "0")
        with there.start(**ON) as bot:
            wait_until(lambda: books_are_even(there), seconds=60, what="the books are even")
            assert there.exchange.journal(died_at, type="accept") == [], "nothing was sold a second time"
            sold = "SELECT account_id, quantity, filled_quantity, state FROM order_intent WHERE order_type = 'stop'"
            ended = {(label, filled) for label, _, filled, state in rows(there, sold) if state == "filled"}
            assert ended == {("kraken", "3"), ("ann_kraken", "1.5")}
            exits = [[user["status"] for user in signal["users"]] for signal in bot.copies()]
            assert exits == [["copied"], ["copied"], ["skipped"]], "the master's stop is copied, and ann had sold"
            # While the bot lives its own stop comes first, 2 % below the entry, and takes the other one back.
            there.master.trades("buy", "4", ETH)
            is_guarded(there, "master", "4")
            wait_until(lambda: len(resting(there, "ann")) == 1, seconds=60, what="ann is guarded")
            there.exchange.set_price(ETH, "1464")
            for name in ("master", "ann"):
                there.comes_to(name, ETH, "0")
            wait_until(lambda: books_are_even(there), seconds=60, what="the books are even again")
            assert resting(there, "master") == resting(there, "ann") == []
            stops = rows(there, "SELECT state FROM order_intent WHERE order_type = 'stop' ORDER BY sequence")
            assert sorted(stops[-2:]) == [("cancelled",), ("cancelled",)]
            assert bot.stop() == 0
