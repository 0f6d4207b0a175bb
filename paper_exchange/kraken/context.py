"""What a handler of a Kraken endpoint is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paper_exchange.api_keys import Account
from paper_exchange.exchange import Exchange
from paper_exchange.http import Call
from paper_exchange.kraken.conditional_close import ConditionalCloses
from paper_exchange.kraken.form import Params
from paper_exchange.kraken.naming import Names
from paper_exchange.rate_counters import RateCounters


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One call at exchange time ``now_ns``. ``visible_until_ns``: look-ups show nothing that is younger."""

    exchange: Exchange
    names: Names
    counters: RateCounters
    closes: ConditionalCloses
    call: Call
    params: Params
    now_ns: int

    @property
    def account(self) -> Account:
        assert self.call.account is not None, "a private endpoint was reached without a key"
        return self.call.account

    @property
    def visible_until_ns(self) -> int:
        return self.now_ns - self.call.lookup_lag_ns


Handler = Callable[[Context], object]
