"""No entries while what a master sees cannot be trusted, and not again at the first good look.

A market feed that comes and goes would otherwise let an entry out at every gap in the trouble. So the way in is short
(`enter_after_looks` bad looks in a row) and the way out is long: `leave_after_looks` good looks in a row that lie over
at least `leave_after_seconds`. Exits are not asked here.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.seams.clock import Clock, format_time
from bot.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SafeModeRules:
    """`below_percent` of the markets that were looked for must have candles; None = safe mode is off."""

    below_percent: Decimal | None = None
    enter_after_looks: int = 2
    leave_after_looks: int = 3
    leave_after_seconds: float = 30.0


NO_SAFE_MODE = SafeModeRules()


def safe_mode_rules(settings: Settings) -> SafeModeRules:
    """As configured."""
    risk = settings.risk
    return SafeModeRules(
        below_percent=risk.safe_mode_below_percent,
        leave_after_looks=risk.safe_mode_leave_after_looks,
        leave_after_seconds=risk.safe_mode_leave_after_seconds,
    )


class SafeMode:
    """One account's; used by its thread alone. A look is one cycle's judgement on balance, candles and prices."""

    def __init__(self, rules: SafeModeRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._bad_looks = 0
        self._good_looks = 0
        self._good_since = 0.0
        self._reason = ""
        self._since: datetime | None = None
        self._was_covered = False
        self._unpriced: set[str] = set()

    @property
    def is_on(self) -> bool:
        return self._since is not None

    @property
    def sentence(self) -> str:
        """Since when, why and what is still missing for an end; empty while entries may go out."""
        if self._since is None:
            return ""
        rules = self._rules
        ends = f"it ends after {rules.leave_after_looks} good looks over {rules.leave_after_seconds:g} s"
        return f"safe mode since {format_time(self._since)}: {self._reason}; {ends}, so far {self._good_looks}"

    def look(self, problem: str) -> None:
        """One more look, with what is wrong about it; empty = nothing."""
        if self._rules.below_percent is None:
            return
        if problem:
            self._bad(problem)
        else:
            self._good()

    def look_at_coverage(self, *, ready: int, wanted: int) -> None:
        """A look by how many of the wanted markets can be decided on.

        What never was above the line has not fallen below it: candles are read little by little after a start.
        """
        below = self._rules.below_percent
        if below is None or not wanted:
            return
        if 100 * ready >= below * wanted:
            self._was_covered = True
            self.look("")
        elif self._was_covered:
            share = 100 * ready / wanted
            self.look(f"{ready} of {wanted} markets ({share:.0f} %) have fresh candles, {below:f} % are needed")

    def price(self, symbol: str, *, known: bool) -> None:
        """What came of asking for a price. Two markets without one, and none with one since, are the feed's trouble.

        Prices are asked for when something is to be entered, so this does not wait for another look.
        """
        if known or self._rules.below_percent is None:
            self._unpriced.clear()
            return
        self._unpriced.add(symbol)
        if len(self._unpriced) > 1:
            names = " and ".join(sorted(self._unpriced))
            self._unpriced.clear()
            self._enter(f"{names} have no fresh price")

    def _bad(self, problem: str) -> None:
        self._bad_looks, self._good_looks = self._bad_looks + 1, 0
        if self.is_on or self._bad_looks >= self._rules.enter_after_looks:
            self._enter(problem)

    def _enter(self, problem: str) -> None:
        self._good_looks = 0
        self._reason = problem
        self._since = self._since or self._clock.now()

    def _good(self) -> None:
        now = self._clock.monotonic()
        self._good_since = self._good_since if self._good_looks else now
        self._bad_looks, self._good_looks = 0, self._good_looks + 1
        rules = self._rules
        if self._good_looks >= rules.leave_after_looks and now - self._good_since >= rules.leave_after_seconds:
            self._since = None


class SafeModes:
    """Of all masters, by label; each account's thread touches its own alone."""

    def __init__(self, rules: SafeModeRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._by_account: dict[str, SafeMode] = {}

    def of(self, account_id: str) -> SafeMode:
        return self._by_account.setdefault(account_id, SafeMode(self._rules, self._clock))
