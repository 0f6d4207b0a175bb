"""What the exchange saw, read from its journal: the only witness that a drill believes."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from bot.diagnostics.drills.exchange import Line


class Witness:
    """The journal's lines of one brokerage, as they were when it was read."""

    def __init__(self, lines: Sequence[Line], brokerage: str) -> None:
        self._lines = [line for line in lines if line["brokerage"] == brokerage and line["account"] is not None]

    def of(self, kind: str, account: str | None = None, **wanted: str) -> Sequence[Line]:
        """Lines of one type (`accept`, `fill`, `refuse`, `request` …), of one account (its name there) or all."""
        return [
            line
            for line in self._lines
            if line["type"] == kind
            and account in (None, line["account"])
            and all(line[name] == value for name, value in wanted.items())
        ]

    def orders(self, account: str, side: str, symbol: str) -> Sequence[Line]:
        """Orders that were accepted."""
        return self.of("accept", account, side=side, symbol=symbol)

    def traded(self, account: str, side: str, symbol: str) -> Decimal:
        """Base units by all fills of one side."""
        return sum((Decimal(line["quantity"]) for line in self._fills(account, symbol, side)), Decimal(0))

    def held(self, account: str, symbol: str) -> Decimal:
        """Base units bought less those sold, and less fees that were taken from them."""
        base = symbol.partition("/")[0]
        fees = [Decimal(line["fee"]) for line in self._fills(account, symbol) if line["fee_asset"] == base]
        return self.traded(account, "buy", symbol) - self.traded(account, "sell", symbol) - sum(fees, Decimal(0))

    def _fills(self, account: str, symbol: str, side: str | None = None) -> Sequence[Line]:
        fills = self.of("fill", account, symbol=symbol)
        return [line for line in fills if side in (None, line["side"])]

    def taken_twice(self) -> Sequence[str]:
        """Ids of ours under which more than one order was accepted."""
        seen = Counter(line["client_order_id"] for line in self.of("accept") if line["client_order_id"])
        return [name for name, count in seen.items() if count > 1]

    def nonce_refusals(self, account: str | None = None) -> int:
        return sum("nonce" in str(line["error"] or "").lower() for line in self.of("refuse", account))
