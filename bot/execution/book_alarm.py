"""Says aloud where an account's balances are not what its fills and cash events make of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.books.equity import Mark
from bot.domain.drift import DriftKind
from bot.execution.day_closing import in_words, is_rounding
from bot.execution.drift_book import DriftBook
from bot.storage.day_closes import Difference, broken_days
from bot.storage.store import Store

NOTHING = Decimal(0)


@dataclass(frozen=True)
class Verdict:
    """What one settled reading found. `more` is what the venue has more than the books, by asset.

    `sure` is False while a difference was seen once only: a trade may be listed later than it moved the balances.
    """

    more: Mapping[str, Decimal]
    sure: bool


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
        self._seen_before: frozenset[str] = frozenset()

    def judge(self, more: Mapping[str, Decimal], marks: Mapping[str, Mark]) -> Verdict:
        """Whether this reading's differences were there in the one before as well."""
        real = frozenset(
            asset for asset, units in more.items() if not is_rounding(self._difference(asset, units, marks))
        )
        sure = real <= self._seen_before
        self._seen_before = real
        return Verdict(more, sure)

    def sound(self, verdict: Verdict, marks: Mapping[str, Mark]) -> None:
        """Note what is not explained: now, and of days that are closed. What is explained by now is cleared."""
        with self._store.read() as connection:
            days = broken_days(connection, self._account_id)
        open_now: dict[str, str] = {}
        worth = NOTHING
        for day, differences in sorted(days.items()):
            for asset, one in differences.items():
                said = f"{in_words(asset, one, self._currency)} since {day}"
                open_now[asset] = f"{open_now[asset]}; {said}" if asset in open_now else said
                worth += abs(one.value or NOTHING)
        for asset, units in verdict.more.items():
            one = self._difference(asset, units, marks)
            if is_rounding(one):
                continue
            worth += abs(one.value or NOTHING)
            if verdict.sure:
                said = in_words(asset, one, self._currency)
                open_now[asset] = f"{open_now[asset]}; {said}" if asset in open_now else said
        for asset, detail in open_now.items():
            self._drifts.note(DriftKind.BOOKS, asset, detail)
        self._drifts.only(DriftKind.BOOKS, set(open_now))
        self._drifts.publish()
        self._on_difference(worth)

    def _difference(self, asset: str, units: Decimal, marks: Mapping[str, Mark]) -> Difference:
        if asset == self._currency:
            return Difference(units, units)
        return Difference(units, units * marks[asset].price if asset in marks else None)
