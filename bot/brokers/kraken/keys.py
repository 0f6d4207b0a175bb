"""What belongs to an API key and not to the broker object that uses it.

A failed connection is tried again with a new broker. How often in a row the venue has refused the key's nonces, and
until when it has locked the key out, must outlive that, or nobody would notice a second program on the key and each new
attempt would prolong the lock-out. Its rate counters are the venue's memory, which no new broker empties.
"""

import threading
from pathlib import Path

from bot.brokers.ending import Ending
from bot.brokers.kraken.nonce import NonceSource, SharedCeilings, key_fingerprint
from bot.brokers.kraken.rates import KrakenRates, Tier
from bot.seams.clock import Clock
from bot.supervision.probes import Probe, lock_probe


class KrakenKey:
    """One key of this process: its nonces, its rate counters, and the end of a lock-out on the monotonic clock."""

    def __init__(self, nonces: NonceSource, rates: KrakenRates) -> None:
        self.nonces = nonces
        self.rates = rates
        self.locked_out_until = 0.0


class KrakenKeys:
    """The keys in use in this process, each once. `tier` is that of all their accounts; None counts no calls.

    `shared`: where the nonces are reserved besides, when other processes may work with the same keys after this one.
    """

    def __init__(
        self, tier: Tier | None = None, *, ending: Ending | None = None, shared: SharedCeilings | None = None
    ) -> None:
        self._tier = tier
        self._ending = ending or Ending()
        self._shared = shared
        self._lock = threading.Lock()
        self._keys: dict[tuple[Path, str], KrakenKey] = {}

    def probe(self) -> Probe:
        """Whether nobody is lost while making a key."""
        return lock_probe("the register of Kraken's keys", self._lock)

    def key(self, path: Path, *, api_key: str, clock: Clock, reserve_milliseconds: int) -> KrakenKey:
        """The key whose nonces are reserved at `path`; made when it is first asked for."""
        name = (path.absolute(), key_fingerprint(api_key))
        with self._lock:
            if name not in self._keys:
                source = NonceSource(
                    path, api_key=api_key, clock=clock, reserve_milliseconds=reserve_milliseconds, shared=self._shared
                )
                name_of_account = path.stem.removeprefix("kraken_nonce_")
                rates = KrakenRates(clock, name=name_of_account, tier=self._tier, ending=self._ending)
                self._keys[name] = KrakenKey(source, rates)
            return self._keys[name]

    def hand_over(self, path: Path | None = None) -> None:
        """Another process is about to work with the keys whose nonces are at `path` (None: with all of them).

        Raises `StoreUnavailable`; then that process skips the nonces that were reserved and not used.
        """
        with self._lock:
            keys = [key for (where, _), key in self._keys.items() if path is None or where == path.absolute()]
        unused = [one for one in (key.nonces.hand_over() for key in keys) if one is not None]
        if self._shared is not None and unused:
            self._shared.give_back(unused)
