"""Says aloud where an account's balances are not what its fills and cash events make of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.books.equity import Mark
from bot.domain.drift import DriftKind
from bot.execution.day_closing import in_words, is_rounding, rounding_limit
from bot.execution.drift_book import DriftBook
from bot.storage.day_closes import Difference, broken_days
from bot.storage.store import Store

NOTHING = Decimal(0)


@dataclass(frozen=True)
class Verdict:
    """What one settled reading found. `more` is what the venue has more than the books, by asset, after `trades`.

    `seen_once` are those whose difference is new: a trade may be listed later than it moved the balances.
    """

    more: Mapping[str, Decimal]
    trades: int = 0
    seen_once: frozenset[str] = frozenset()

    @property
    def sure(self) -> bool:
        return not self.seen_once


class BookAlarm:
    """One account's. `on_difference` hears the worth of all that is not explained, in the account's own currency."""

    def __init__(
        self,
        *,
        account_id: str,
        currency: str,
        store: Store,
        drifts: DriftBook,
        on_difference: Callable[[Decimal], None],
    ) -> None:
        self._account_id = account_id
        self._currency = currency
        self._store = store
        self._drifts = drifts
        self._on_difference = on_difference
        # By asset, in the reading before; None = this process has made none, and goes by what is noted.
        self._seen_before: frozenset[str] | None = None

    def judge(self, more: Mapping[str, Decimal], marks: Mapping[str, Mark], *, trades: int) -> Verdict:
        """Whether this reading's differences, after so many trades, were there in the one before as well."""
        before = self._seen_before
        if before is None:
            before = frozenset(self._drifts.subjects(DriftKind.BOOKS))
        self._seen_before = frozenset(self.real(more, marks, trades=trades))
        return Verdict(more, trades, self._seen_before - before)

    def sound(self, verdict: Verdict, marks: Mapping[str, Mark]) -> None:
        """Note what is not explained: now, and of days that are closed. What is explained by now is cleared."""
        with self._store.read() as connection:
            days = broken_days(connection, self._account_id)
        running = self.real(verdict.more, marks, trades=verdict.trades)
        said: dict[str, list[str]] = {}
        for day, differences in sorted(days.items()):
            for asset, one in differences.items():
                said.setdefault(asset, []).append(f"{in_words(asset, one, self._currency)} since {day}")
        for asset, one in running.items():
            if asset not in verdict.seen_once:
                said.setdefault(asset, []).append(in_words(asset, one, self._currency))
        for asset, sentences in said.items():
            self._drifts.note(DriftKind.BOOKS, asset, "; ".join(sentences))
        self._drifts.only(DriftKind.BOOKS, said)
        self._drifts.publish()
        unexplained = [*running.values(), *(one for differences in days.values() for one in differences.values())]
        self._on_difference(sum((abs(one.value or NOTHING) for one in unexplained), NOTHING))

    def real(self, more: Mapping[str, Decimal], marks: Mapping[str, Mark], *, trades: int) -> dict[str, Difference]:
        """Differences that are more than the roundings of so many trades."""
        found = {asset: self._difference(asset, units, marks) for asset, units in more.items()}
        return {asset: one for asset, one in found.items() if not is_rounding(one, rounding_limit(trades))}

    def _difference(self, asset: str, units: Decimal, marks: Mapping[str, Mark]) -> Difference:
        if asset == self._currency:
            return Difference(units, units)
        return Difference(units, units * marks[asset].price if asset in marks else None)
