"""Which phase a health word means, which steps lead there, and how an account that kept failing becomes ready again."""

from collections.abc import Sequence

from bot.domain.health import HealthState, Phase, may_follow, way

# From here on one good reading may be luck.
FAILURES_IN_A_ROW = 3
SUCCESSES_NEEDED = 2
_NOT_RUNNING = frozenset({Phase.NEW, Phase.STARTING, Phase.BACKOFF})
# Only whoever put an account there takes it out again; a late word of its old thread is not heard.
_ENDED = frozenset({Phase.DRAINING, Phase.STOPPED})
_HELD = frozenset({Phase.QUARANTINING, Phase.FAILED_MANUAL, Phase.FAILED_CONFIG})


def phase_for(state: HealthState, now: Phase, *, key_refused: bool) -> Phase | None:
    """The phase that a health word means in the present one; None = the word is not heard."""
    if state is HealthState.STOPPED:
        return Phase.STOPPED
    if now in _ENDED or (now in _HELD and state is not HealthState.FAILED):
        return None
    if state is HealthState.FAILED:
        return _failure(now, key_refused=key_refused)
    if state is HealthState.STARTING:
        return now if now in (Phase.STARTING, Phase.RECOVERING) else Phase.STARTING
    if state is HealthState.DEGRADED:
        return Phase.BACKOFF if now in _NOT_RUNNING else Phase.DEGRADED
    return Phase.READY if state is HealthState.HEALTHY else Phase.QUARANTINING


def _failure(now: Phase, *, key_refused: bool) -> Phase:
    if now in (Phase.FAILED_MANUAL, Phase.FAILED_CONFIG):
        return now
    return Phase.FAILED_CREDENTIALS if key_refused and now not in _NOT_RUNNING else Phase.FAILED_CIRCUIT


def steps_to(now: Phase, wanted: Phase, *, at_once: bool = False) -> Sequence[Phase] | None:
    """The phases to go through, at least one; None if there is no way, or with `at_once` no way of one step."""
    if wanted is now:
        return (wanted,)
    if at_once:
        return (wanted,) if may_follow(now, wanted) else None
    return way(now, wanted) or None


class Recovery:
    """After several failures in a row one success does not make an account ready: two do, with no failure between.

    A success is a cycle judged good, or, after one such cycle, a further balance that could be read.
    """

    def __init__(self) -> None:
        self._owed = 0
        self._judged_good = False

    def failed(self, in_a_row: int) -> None:
        """So many failures in a row by now."""
        self._judged_good = False
        if in_a_row >= FAILURES_IN_A_ROW or self._owed:
            self._owed = SUCCESSES_NEEDED

    def still_owed(self) -> str:
        """A cycle was judged good: why that is not enough yet, or an empty text."""
        self._owed = max(0, self._owed - 1)
        self._judged_good = self._owed > 0
        return "it works again after failing several times; one more good reading is awaited" if self._owed else ""

    def another_reading(self) -> bool:
        """A balance could be read; True when it is the success that was still awaited."""
        return self._judged_good
