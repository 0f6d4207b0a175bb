"""Kraken's book channel as text, made by rules of its own, so that the code under test is judged by another."""

import zlib
from collections.abc import Mapping
from decimal import Decimal

Levels = Mapping[Decimal, Decimal]
VECTOR_ASKS = (
    "45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660 "
    "45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"
)
VECTOR_BIDS = (
    "45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586 "
    "45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"
)
# Published by the venue for these levels.
VECTOR_CHECKSUM = 3310070434


def levels_of(text: str) -> dict[Decimal, Decimal]:
    return {Decimal(price): Decimal(quantity) for price, quantity in (part.split("/") for part in text.split())}


def checksum_of(asks: Levels, bids: Levels, *, price_decimals: int, quantity_decimals: int) -> int:
    """The venue's rule, straight from its description."""
    best = [(price, asks[price]) for price in sorted(asks)[:10]]
    best += [(price, bids[price]) for price in sorted(bids, reverse=True)[:10]]
    text = ""
    for price, quantity in best:
        text += f"{price:.{price_decimals}f}".replace(".", "").lstrip("0")
        text += f"{quantity:.{quantity_decimals}f}".replace(".", "").lstrip("0")
    return zlib.crc32(text.encode())


def book_message(
    symbol: str,
    asks: Levels,
    bids: Levels,
    checksum: int,
    *,
    kind: str = "update",
    price_decimals: int = 1,
    quantity_decimals: int = 8,
) -> str:
    def side(levels: Levels) -> str:
        rows = (
            f'{{"price":{price:.{price_decimals}f},"qty":{quantity:.{quantity_decimals}f}}}'
            for price, quantity in levels.items()
        )
        return f"[{','.join(rows)}]"

    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{side(bids)},"asks":{side(asks)},'
        f'"checksum":{checksum},"timestamp":"2026-01-01T00:00:00.000000Z"}}]}}'
    )
