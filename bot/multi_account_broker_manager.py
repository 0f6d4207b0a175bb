"""One broker per account: opened in the right order, kept with its reason when it fails, retried, never dropped."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bot.brokers.base import BaseBroker
from bot.brokers.dearest_fees import dearest_taker_fee_percent
from bot.brokers.refused_key import REFUSED_KEY_PAUSE_SECONDS
from bot.copy_trade_engine import Follower
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.errors import ConfigurationError, CredentialsRejected, Fenced, KeyUnfit, NotConfigured, VenueError
from bot.domain.health import Phase
from bot.domain.instrument import Instrument
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.supervision.heart import SLACK_SECONDS, beat
from bot.supervision.probes import Probe, lock_probe

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class FailedConnection:
    """Why an account is not connected, since when, and when it is tried again (None: needs a person)."""

    account: AccountRef
    reason: str
    since: datetime
    attempts: int
    next_try_monotonic: float | None
    # The venue knows the key; it is the key that may not be used, not the venue that refuses it.
    key_answered: bool = False
    phase: Phase = Phase.BACKOFF


@dataclass(frozen=True)
class Pauses:
    """Seconds between connections; all 0 in paper mode."""

    after_master_seconds: float
    between_users_seconds: float
    least_seconds: float
    all_users_together_seconds: float


class MultiAccountBrokerManager:
    """The registry of brokers: `master_brokers`, `user_brokers`, `failed_brokers`.

    `build` makes an unconnected broker for an account and raises `ConfigurationError` when it has no usable key.
    `check_key` judges a connected one's key and raises `KeyUnfit`. `holds` says whether an account is this process's.
    Written by one connector thread per brokerage, read by all.
    """

    def __init__(
        self,
        *,
        masters: Sequence[BrokerType],
        followers: Sequence[Follower],
        build: Callable[[AccountRef], BaseBroker],
        pauses: Pauses,
        clock: Clock,
        ids: IdSource,
        stop: threading.Event,
        holds_positions: Callable[[AccountRef], bool],
        on_connected: Callable[[BaseBroker], None],
        on_failed: Callable[[FailedConnection], None],
        check_key: Callable[[BaseBroker], None] = lambda _broker: None,
        holds: Callable[[AccountRef], bool] = lambda _account: True,
    ) -> None:
        self.master_brokers: dict[BrokerType, BaseBroker] = {}
        self.user_brokers: dict[str, dict[BrokerType, BaseBroker]] = {}
        self.failed_brokers: dict[str, FailedConnection] = {}
        self._masters = tuple(masters)
        self._followers = tuple(followers)
        self._leaving = {item.account for item in self._followers if item.leaving is not None}
        self._build = build
        self._pauses = pauses
        self._clock = clock
        self._ids = ids
        self._stop = stop
        self._holds_positions = holds_positions
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._check_key = check_key
        self._holds = holds
        # Whoever connected last at a brokerage has its list of markets; all its accounts share one.
        self._listing: dict[BrokerType, BaseBroker] = {}
        self._armed: set[BrokerType] = set()
        # Users who left and are done.
        self._released: set[AccountRef] = set()
        self._lock = threading.Lock()

    # -- opening ----------------------------------------------------------------------------------------------------
    def brokerages(self) -> Sequence[BrokerType]:
        """Every brokerage that has a master or a user here."""
        in_use = {*self._masters, *(follower.account.broker for follower in self._followers)}
        return [*(broker for broker in BrokerType if broker in in_use), *sorted(in_use - set(BrokerType))]

    def connect_brokerage(self, broker: BrokerType) -> None:
        """The master's attempt, then its users, staggered, then copying is armed. Bounded by each call's deadline."""
        users = self.accounts_of(broker)
        if broker in self._masters and self.broker_of(AccountRef.master(broker)) is None:
            self.add_master_broker(broker)
            self._pause(max(self._pauses.after_master_seconds, self._pauses.least_seconds) if users else 0.0)
        pause = self._stagger(len(users))
        for position, account in enumerate(users):
            if position:
                self._pause(pause)
            if self._stop.is_set():
                return
            if self.broker_of(account) is None:  # this may be the second try of a pass that hung
                self.connect_account(account)
        self._armed.add(broker)

    def connect_missing(self, broker: BrokerType, *, until: float = float("inf")) -> None:
        """Accounts of the brokerage that have come to this process: the master first, then its users, staggered.

        No new attempt begins after `until` (monotonic).
        """
        missing = self._not_tried(broker)
        pause = self._stagger(len(missing))
        for position, account in enumerate(missing):
            if self._stop.is_set() or self._clock.monotonic() > until:
                return
            if self._holds(account):
                self.connect_account(account)
                self._pause(pause if position + 1 < len(missing) else 0.0)

    def _not_tried(self, broker: BrokerType) -> Sequence[AccountRef]:
        own = [each.account for each in self._followers if each.account.broker is broker]
        masters = [AccountRef.master(broker)] if broker in self._masters else []
        new = [each for each in (*masters, *own) if self._holds(each) and not self.had_its_chance(each)]
        return sorted(new, key=lambda each: (not each.is_master, not self._holds_positions(each)))

    def connect_users_from_config(self) -> None:
        """Connect every configured user, brokerage by brokerage, without pauses."""
        for follower in self._followers:
            self.connect_account(follower.account)

    def add_master_broker(self, broker: BrokerType) -> BaseBroker | None:
        """Connect the master; None when it failed (see `failed_brokers`)."""
        return self.connect_account(AccountRef.master(broker))

    def add_user_broker(self, user_id: str, broker: BrokerType) -> BaseBroker | None:
        """Connect one user's account; None when it failed (see `failed_brokers`)."""
        return self.connect_account(AccountRef.user(broker, user_id))

    def connect_account(self, account: AccountRef) -> BaseBroker | None:
        """One attempt. A failure is kept with its reason and time of the next try."""
        broker: BaseBroker | None = None
        beat(f"connecting {account.label}")
        try:
            broker = self._build(account)
            broker.connect()
            broker.get_trading_pairs()
            self._check_key(broker)
        except Fenced:
            # Somebody else connects this account by now.
            if broker is not None:
                broker.close()
            raise
        except NotConfigured as error:
            # Nobody said that it should trade: no failure, and nothing to be tried again.
            self._fail(account, str(error), retry_seconds=None, phase=Phase.STOPPED)
        except ConfigurationError as error:
            self._fail(account, "; ".join(error.problems), retry_seconds=None, phase=Phase.FAILED_CONFIG)
        except CredentialsRejected as error:
            unfit = isinstance(error, KeyUnfit)
            self._fail(
                account,
                f"the key {'is not used' if unfit else 'was refused'}: {error}",
                retry_seconds=REFUSED_KEY_PAUSE_SECONDS,
                key_answered=unfit,
                phase=Phase.FAILED_CONFIG if unfit else Phase.FAILED_CREDENTIALS,
            )
        except VenueError as error:
            self._fail(account, str(error), retry_seconds=self._backoff(account))
        except Exception as error:
            # Whatever it was, it is this account's own: those behind it must get their turn.
            log.exception("%s: unexpected error while connecting", account.label)
            self._fail(account, f"{type(error).__name__}: {error}", retry_seconds=self._backoff(account))
        else:
            self._register(broker)
            return broker
        if broker is not None:
            broker.close()
        return None

    def is_leaving(self, account: AccountRef) -> bool:
        """Whether the account belongs to a user who is switched off and was not done at the start."""
        return account in self._leaving

    def release(self, account: AccountRef) -> None:
        """A user who left is done: disconnect it, and know it no more."""
        with self._lock:
            self._followers = tuple(item for item in self._followers if item.account != account)
            self._leaving.discard(account)
            self._released.add(account)
            broker = self.user_brokers.get(account.user_id or "", {}).pop(account.broker, None)
        self.failed_brokers.pop(account.label, None)
        if broker is not None:
            broker.close()

    def hand_over(self, account: AccountRef) -> None:
        """It is not this process's any more: disconnect it, and know nothing of what has become of it here."""
        with self._lock:
            owned = self.master_brokers if account.user_id is None else self.user_brokers.get(account.user_id, {})
            broker = owned.pop(account.broker, None)
        self.failed_brokers.pop(account.label, None)
        if broker is not None:
            broker.close()

    def drop(self, account: AccountRef, reason: str) -> None:
        """Its thread was given up: nobody finds its broker any more, and it stays away until it is connected anew."""
        with self._lock:
            owned = self.master_brokers if account.user_id is None else self.user_brokers.get(account.user_id, {})
            broker = owned.pop(account.broker, None)
        self._keep_failure(account, reason, retry_seconds=None)
        if broker is not None:
            broker.close()

    def retry_failed(self, broker: BrokerType, *, until: float = float("inf")) -> None:
        """Try again what failed at this brokerage and is due, the longest due first; no new try begins after `until`.

        `until` is a moment of the monotonic clock. What is not tried any more is the first the next time.
        """
        waiting = [failed for failed in list(self.failed_brokers.values()) if failed.account.broker is broker]
        for failed in sorted(waiting, key=lambda each: each.next_try_monotonic or 0.0):
            now = self._clock.monotonic()
            due = failed.next_try_monotonic is not None and failed.next_try_monotonic <= now
            if due and now <= until and self._holds(failed.account) and not self._stop.is_set():
                self.connect_account(failed.account)

    def close(self) -> None:
        """Close every broker."""
        for broker in self.connected():
            broker.close()

    def probes(self) -> Sequence[Probe]:
        """Whether the registry can be read: nobody trades while it cannot."""
        return [lock_probe("the registry of brokers", self._lock)]

    # -- asking -----------------------------------------------------------------------------------------------------
    def connected(self) -> Sequence[BaseBroker]:
        """Every connected broker, masters first."""
        with self._lock:
            users = [broker for brokers in self.user_brokers.values() for broker in brokers.values()]
            return [*self.master_brokers.values(), *users]

    def broker_of(self, account: AccountRef) -> BaseBroker | None:
        if account.user_id is None:
            return self.master_brokers.get(account.broker)
        return self.user_brokers.get(account.user_id, {}).get(account.broker)

    def accounts_of(self, broker: BrokerType) -> Sequence[AccountRef]:
        """The users of a brokerage, holders of positions first."""
        users = [follower.account for follower in self._followers if follower.account.broker is broker]
        return sorted(users, key=lambda account: not self._holds_positions(account))

    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        return [follower for follower in self._followers if follower.account.broker is broker]

    def balance_of(self, account: AccountRef) -> BalanceReading:
        broker = self.broker_of(account)
        if broker is None:
            return BalanceReading(BalanceStatus.UNKNOWN, None, None, 0, self.not_ready_reason(account))
        return broker.balance_book.reading()

    def taker_fee_percent(self, account: AccountRef, symbol: str) -> Decimal:
        """As the venue told this account last; nobody is asked."""
        broker = self.broker_of(account)
        known = None if broker is None else broker.known_taker_fee_percent(symbol)
        return dearest_taker_fee_percent(account.broker) if known is None else known

    def not_ready_reason(self, account: AccountRef) -> str:
        if self.broker_of(account) is not None:
            return ""
        failed = self.failed_brokers.get(account.label)
        return f"not connected: {failed.reason}" if failed else "not connected yet"

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        """The market's rules as last read; None while they are not known."""
        listing = self._listing.get(broker)
        return None if listing is None else listing.known_trading_pairs().get(symbol)

    def copying_armed(self, broker: BrokerType) -> bool:
        return broker in self._armed

    def arm(self, broker: BrokerType) -> None:
        """Copies are planned from here on; account by account it is asked who had its chance."""
        self._armed.add(broker)

    def had_its_chance(self, account: AccountRef) -> bool:
        """Whether it is connected, has failed to, or left and is connected no more."""
        gone = account.label in self.failed_brokers or account in self._released
        return gone or self.broker_of(account) is not None

    # -- inside -----------------------------------------------------------------------------------------------------
    def _register(self, broker: BaseBroker) -> None:
        account = broker.account
        with self._lock:
            self._still_counts(broker)
            self._listing[account.broker] = broker
            if account.user_id is None:
                self.master_brokers[account.broker] = broker
            else:
                self.user_brokers.setdefault(account.user_id, {})[account.broker] = broker
        self.failed_brokers.pop(account.label, None)
        if account.is_master:
            log.info("%s MASTER connected", account.broker.proper_name)
            log.info("%s registered as MASTER broker in multi-account manager", account.broker.proper_name)
        else:
            log.info("%s connected to %s", self._name_of(account), account.broker.proper_name)
        self._on_connected(broker)

    def _still_counts(self, broker: BaseBroker) -> None:
        """A connector that hung and was replaced meanwhile registers nothing: the account is connected by now."""
        try:
            beat(f"registering {broker.account.label}")
        except Fenced:
            broker.close()
            raise

    def _name_of(self, account: AccountRef) -> str:
        return next((item.name for item in self._followers if item.account == account), account.label)

    def _fail(
        self,
        account: AccountRef,
        reason: str,
        *,
        retry_seconds: float | None,
        key_answered: bool = False,
        phase: Phase = Phase.BACKOFF,
    ) -> None:
        beat(f"{account.label} not connected")  # nor does it report a failure
        old = self.failed_brokers.get(account.label)
        kept = self._keep_failure(account, reason, retry_seconds=retry_seconds)
        failed = replace(kept, key_answered=key_answered, phase=phase)
        if old is None or old.reason != reason:
            again = "" if retry_seconds is None else f"; next try in {retry_seconds:.0f} s"
            level = logging.INFO if phase is Phase.STOPPED else logging.WARNING
            log.log(level, "%s not connected: %s%s", account.label, reason, again)
        self._on_failed(failed)

    def _keep_failure(self, account: AccountRef, reason: str, *, retry_seconds: float | None) -> FailedConnection:
        old = self.failed_brokers.get(account.label)
        failed = FailedConnection(
            account=account,
            reason=reason,
            since=old.since if old else self._clock.now(),
            attempts=old.attempts + 1 if old else 1,
            next_try_monotonic=None if retry_seconds is None else self._clock.monotonic() + retry_seconds,
        )
        self.failed_brokers[account.label] = failed
        return failed

    def _backoff(self, account: AccountRef) -> float:
        old = self.failed_brokers.get(account.label)
        base: float = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(old.attempts if old else 0, 8))
        return base * (0.8 + 0.4 * self._ids.fraction())

    def _stagger(self, users: int) -> float:
        pause = max(self._pauses.between_users_seconds, self._pauses.least_seconds)
        return min(pause, self._pauses.all_users_together_seconds / max(1, users - 1))

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            beat("pausing between connections", seconds + SLACK_SECONDS)
            self._clock.wait(self._stop, seconds)
