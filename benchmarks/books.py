"""How fast an account's books are, and how much memory a million fills take.

    python benchmarks/books.py [--fills 1000000] [--beancount-fills 20000] [--json]

The same made-up history for all: purchases and partial sales of three symbols, fees in quote, base and a third asset.
Ours are `bot.books`: every term of the identity, idempotent, exact. The floor is what nobody can do without: a deque of
Decimal lots and the gain, for one symbol and without anything else. Beancount books the same trades first in first out,
from transactions that are made already (its parser is left out). Before a figure counts, the ways must agree: ours and
the floor on the gain of the first symbol, ours and beancount on all gains. Memory is the growth of a fresh process's
peak while the fills stream through it.
"""

import argparse
import gc
import multiprocessing
import random
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from beancount.core.amount import Amount
from beancount.core.data import Booking, Cost, CostSpec, Open, Posting, Transaction, new_metadata
from beancount.core.number import MISSING
from beancount.parser.booking_full import book
from beancount.parser.options import OPTIONS_DEFAULTS

from benchmarks.report import Cell, Report
from bot.books.book_text import from_json, to_json
from bot.books.entries import Trade
from bot.books.ledger import Books
from bot.domain.order import Side

GOAL_PER_SECOND = 300_000
GOAL_MEGABYTES = 300
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
COLUMNS = ("way", "fills", "fills a second", "times the floor's time", "MB", "text ms", "goal")


def history(fills: int, *, third_asset_fees: bool = True) -> Iterator[Trade]:
    """Purchases and sales in turn, so that some lots are closed in parts; never more sold than is held."""
    chance = random.Random(7)
    held = dict.fromkeys(SYMBOLS, Decimal(0))
    for number in range(fills):
        symbol = SYMBOLS[number % 3]
        quantity = Decimal(chance.randrange(10_000, 99_999_999)).scaleb(-8)
        fee, currency = _fee(number, symbol, third_asset_fees)
        in_base = fee if currency == symbol[:3] else Decimal(0)
        side = Side.SELL if held[symbol] > quantity + in_base and chance.random() < 0.55 else Side.BUY
        held[symbol] += quantity - in_base if side is Side.BUY else -quantity - in_base
        yield Trade(
            trade_id=f"T{number:09}",
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=Decimal(chance.randrange(2_000_000, 9_000_000)).scaleb(-2),
            fee=fee,
            fee_currency=currency,
            at=BEGIN + timedelta(milliseconds=number),
            sequence=number,
        )


def _fee(number: int, symbol: str, third_asset_fees: bool) -> tuple[Decimal, str]:
    if number % 10 == 0:
        return Decimal("0.00000123"), symbol[:3]
    if number % 10 == 1 and third_asset_fees:
        return Decimal("0.00045"), "BNB"
    return Decimal("0.0731"), "USD"


def floor_gain(trades: Iterable[Trade], symbol: str) -> Decimal:
    """First in first out with nothing around it: the gain in one symbol, fees in base making lots smaller."""
    lots: deque[list[Decimal]] = deque()
    gain = Decimal(0)
    for trade in trades:
        if trade.symbol != symbol:
            continue
        in_base = trade.fee if trade.fee_currency == symbol[:3] else Decimal(0)
        if trade.side is Side.BUY:
            lots.append([trade.quantity - in_base, trade.price])
            continue
        left = trade.quantity + in_base
        while left:
            lot = lots[0]
            part = min(left, lot[0])
            gain += part * (trade.price - lot[1])
            lot[0] -= part
            left -= part
            if not lot[0]:
                lots.popleft()
    return gain


def ours(trades: Sequence[Trade]) -> Books:
    books = Books("USD")
    apply = books.apply
    for trade in trades:
        apply(trade)
    return books


def beancount_gain(trades: Sequence[Trade]) -> tuple[Decimal, float]:
    """All gains, and the seconds that booking took."""
    coins = {symbol: f"Assets:{symbol[:3].title()}" for symbol in SYMBOLS}
    entries: list[object] = [_opened(account) for account in coins.values()]
    entries += [_opened(account) for account in ("Assets:Money", "Income:Gains", "Expenses:Fees")]
    entries += [_as_transaction(trade, coins[trade.symbol]) for trade in trades]
    options = deepcopy(OPTIONS_DEFAULTS) | {"booking_method": Booking.FIFO}
    methods = dict.fromkeys((*coins.values(), "Assets:Money", "Income:Gains", "Expenses:Fees"), Booking.FIFO)
    began = time.process_time()
    booked, errors = book(entries, options, methods)
    seconds = time.process_time() - began
    assert not errors, errors[:3]
    gains = (p.units.number for e in booked if isinstance(e, Transaction) for p in e.postings if p.account[0] == "I")
    return -sum(gains, Decimal(0)), seconds


def _opened(account: str) -> Open:
    return Open(new_metadata("", 0), BEGIN.date(), account, None, Booking.FIFO)


def _as_transaction(trade: Trade, coins: str) -> Transaction:
    money = trade.quantity * trade.price
    in_base = trade.fee if trade.fee_currency == trade.symbol[:3] else Decimal(0)
    fee = in_base * trade.price if in_base else trade.fee
    paid = Decimal(0) if in_base else trade.fee
    # A date each, so that equal prices stay lots of their own and the order is ours.
    day = BEGIN.date() + timedelta(days=trade.sequence)
    if trade.side is Side.BUY:
        cost: CostSpec | Cost = CostSpec(trade.price, None, "USD", day, None, False)
        moved, change = trade.quantity - in_base, -money - paid
    else:
        cost = CostSpec(MISSING, None, MISSING, None, None, False)
        moved, change = -trade.quantity - in_base, money - paid
    amounts = [
        Posting(coins, Amount(moved, trade.symbol[:3]), cost, None, None, {}),
        Posting("Assets:Money", Amount(change, "USD"), None, None, None, {}),
        Posting("Expenses:Fees", Amount(fee, "USD"), None, None, None, {}),
    ]
    if trade.side is Side.SELL:
        amounts.append(Posting("Income:Gains", MISSING, None, None, None, {}))
    return Transaction(new_metadata("", 0), day, "*", None, trade.trade_id, frozenset(), frozenset(), amounts)


def _status_megabytes(name: str) -> float:
    """A line of this process's memory; `ru_maxrss` would be the parent's where the parent is larger."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _streamed(fills: int, answer: "multiprocessing.SimpleQueue[float]") -> None:
    gc.collect()
    before = _status_megabytes("VmRSS")
    books = Books("USD")
    books.apply_all(history(fills))
    answer.put(_status_megabytes("VmHWM") - before)


def memory_megabytes(fills: int) -> float:
    """How much a fresh process's peak grows while so many fills stream through its books."""
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.SimpleQueue[float] = context.SimpleQueue()
    process = context.Process(target=_streamed, args=(fills, answer))
    process.start()
    megabytes = answer.get()
    process.join()
    return megabytes


def _timed_ours(trades: Sequence[Trade]) -> tuple[Books, float]:
    began = time.process_time()
    books = ours(trades)
    return books, time.process_time() - began


def _text_milliseconds(books: Books) -> float:
    """What a day's close carries along: written, and read back."""
    began = time.process_time()
    from_json(to_json(books))
    return (time.process_time() - began) * 1000


def measure(fills: int, beancount_fills: int) -> list[dict[str, Cell]]:
    """One row a way. Raises AssertionError when two ways disagree about a gain."""
    trades = list(history(fills))
    gc.collect()
    gc.freeze()
    of_first = [trade for trade in trades if trade.symbol == SYMBOLS[0]]
    began = time.process_time()
    gain = floor_gain(of_first, SYMBOLS[0])
    floor = (time.process_time() - began) / len(of_first)
    assert ours(of_first).flows.realised == gain, "ours and the floor disagree"
    books, seconds = min((_timed_ours(trades) for _ in range(3)), key=lambda run: run[1])
    plain = list(history(beancount_fills, third_asset_fees=False))
    their_gain, their_seconds = beancount_gain(plain)
    difference = abs(their_gain - ours(plain).flows.realised)
    assert difference < Decimal("0.001") * beancount_fills, f"ours and beancount disagree by {difference}"
    return [
        _row("a deque of lots, gain alone (the floor)", len(of_first), floor * len(of_first), floor),
        _row("ours", fills, seconds, floor)
        | {
            "MB": memory_megabytes(fills),
            "text ms": _text_milliseconds(books),
            "goal": f"{GOAL_PER_SECOND:,} a second, {GOAL_MEGABYTES} MB for a million",
        },
        _row("beancount", beancount_fills, their_seconds, floor),
    ]


def _row(way: str, fills: int, seconds: float, floor: float) -> dict[str, Cell]:
    return {
        "way": way,
        "fills": fills,
        "fills a second": fills / seconds,
        "times the floor's time": seconds / fills / floor,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--beancount-fills", type=int, default=5_000)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args(arguments)
    rows = measure(options.fills, options.beancount_fills)
    notes = ("processor time of one core, best of three for ours; the fills exist before the clock starts",)
    Report("Books of one account", COLUMNS, rows, notes).say(as_json=options.as_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
