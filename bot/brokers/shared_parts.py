"""What the accounts of one process share: the clock, the deadline keeper, the Kraken lock, the lists of markets.

Nothing here belongs to an account; an account that fails leaves nothing behind in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.brokers.call_reaper import CallReaper
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.private_call_lock import LockUse, PrivateCallLock, PrivateCallLocks
from bot.brokers.kraken.symbols import KrakenCatalogue
from bot.brokers.resolver import Resolver
from bot.brokers.shared_reading import SharedReading
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock
from bot.settings.model import Settings

# (account label, endpoint, seconds on the wire, "ok" or the error's class name)
CallObserver = Callable[[str, str, float, str], None]


@dataclass(frozen=True, kw_only=True)
class SharedParts:
    """Make it once with `shared_parts`, pass it to every broker, close it after the last."""

    clock: Clock
    reaper: CallReaper
    resolver: Resolver
    kraken_locks: PrivateCallLocks
    kraken_keys: KrakenKeys
    kraken_catalogues: SharedReading[KrakenCatalogue]
    coinbase_instruments: SharedReading[Mapping[str, Instrument]]
    on_private_call: CallObserver | None = None

    def close(self) -> None:
        self.reaper.close()


def shared_parts(
    settings: Settings,
    clock: Clock,
    *,
    on_private_call: CallObserver | None = None,
    on_lock_use: Callable[[LockUse], None] | None = None,
) -> SharedParts:
    """The shared parts as the settings want them; the observers are for metrics and must be quick."""
    kraken = settings.kraken

    def make_lock() -> PrivateCallLock:
        return PrivateCallLock(
            clock,
            hold_seconds=kraken.private_call_hold_seconds,
            parked_key_seconds=kraken.parked_key_seconds,
            on_use=on_lock_use,
        )

    return SharedParts(
        clock=clock,
        reaper=CallReaper(clock),
        resolver=Resolver(clock),
        kraken_locks=PrivateCallLocks(make_lock, per_key=kraken.private_call_lock == "per_key"),
        kraken_keys=KrakenKeys(),
        kraken_catalogues=SharedReading(clock),
        coinbase_instruments=SharedReading(clock),
        on_private_call=on_private_call,
    )
