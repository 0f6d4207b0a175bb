"""One spelling of a market inside: `BTC/USD`, base first."""

import re

_SYMBOL = re.compile(r"[A-Z0-9.]{1,20}/[A-Z0-9.]{1,20}")


def normalise_symbol(text: str) -> str:
    """`BTC-USD`, `btc/usd` → `BTC/USD`. Raises ValueError for anything else."""
    symbol = text.strip().upper().replace("-", "/")
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"{text!r} is not a symbol; write it as BTC/USD or BTC-USD")
    return symbol


def base_of(symbol: str) -> str:
    """The asset that is bought and sold."""
    return symbol.partition("/")[0]


def quote_of(symbol: str) -> str:
    """The asset that is paid and received."""
    return symbol.partition("/")[2]
