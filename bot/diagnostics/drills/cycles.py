"""How regularly accounts have their cycles, watched through what the bot writes down."""

import threading
from collections.abc import Callable, Mapping, Sequence

from bot.diagnostics.accounts import Account
from bot.seams.clock import Clock

LOOK_SECONDS = 0.05


def cycle_intervals(
    accounts: Callable[[], Sequence[Account]], clock: Clock, seconds: float
) -> Mapping[str, Sequence[float]]:
    """Per account, watched for so long: the seconds between the ends of its cycles, the running one included."""
    never = threading.Event()
    seen: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    end = clock.monotonic() + seconds
    while (now := clock.monotonic()) < end:
        for account in accounts():
            if counts.get(account.label) != account.row.cycles:
                counts[account.label] = account.row.cycles
                seen.setdefault(account.label, []).append(now)
        clock.wait(never, LOOK_SECONDS)
    return {
        name: [later - earlier for earlier, later in zip(times, [*times[1:], end], strict=True)]
        for name, times in seen.items()
    }
