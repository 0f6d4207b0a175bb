"""What a key must be before its account trades: one with which no money can leave, and that opens the right account.

Both follow from the call that tells its rights, for which a key needs none. Where the venue names no account, a new key
must show an order that was traded with the earlier one.
"""

import logging
from collections.abc import Callable, Collection

from bot.brokers.base import BaseBroker
from bot.brokers.key_report import KeyReport
from bot.domain.account import AccountRef
from bot.domain.errors import KeyUnfit
from bot.seams.clock import Clock
from bot.storage import identities
from bot.storage.identities import Pin
from bot.storage.store import Store

log = logging.getLogger(__name__)

# Orders of an account that a new key is asked for, and accounts whose orders it must not show.
PROOFS_ASKED = 2
OTHERS_ASKED = 3


class KeyChecks:
    """Asked by the connectors after each connection, of several brokerages at once.

    `accounts` are those of this run. `warn` takes what the operator should change although the key is used, or "".
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        allow_withdraw_keys: bool,
        accounts: Collection[AccountRef],
        warn: Callable[[AccountRef, str], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._allow_withdraw_keys = allow_withdraw_keys
        self._accounts = accounts
        self._warn = warn

    def check(self, broker: BaseBroker) -> None:
        """Pin the account's identity at the first use. Raises `KeyUnfit`, or what a reading raises."""
        report = broker.key_report
        if report is None:
            return
        warnings = [self._judge_withdrawal(broker, report), self._judge_identity(broker, report), _unbound(report)]
        said = "; ".join(text for text in warnings if text)
        if said:
            log.warning("%s: %s", broker.account.label, said)
        self._warn(broker.account, said)

    def _judge_withdrawal(self, broker: BaseBroker, report: KeyReport) -> str:
        if not report.withdraw_rights:
            return ""
        rights, label = ", ".join(report.withdraw_rights), broker.account.label
        if self._allow_withdraw_keys:
            return f"MONEY CAN BE WITHDRAWN with this API key ({rights}), and allow_withdraw_keys permits it"
        raise KeyUnfit(
            f"{label}: money can be withdrawn with this API key ({rights}). Take the right away at "
            f"{_venue(broker)}, or set allow_withdraw_keys: true"
        )

    # -- identity ---------------------------------------------------------------------------------------------------
    def _judge_identity(self, broker: BaseBroker, report: KeyReport) -> str:
        label = broker.account.label
        with self._store.read() as connection:
            pinned = identities.pin_of(connection, label)
        if pinned is not None and pinned.identity == report.identity:
            return ""
        self._refuse_anothers(broker, report)
        warning = "" if pinned is None else self._explain_change(broker, report, pinned)
        if not report.names_account:
            self._refuse_who_shows_anothers_orders(broker)
        self._pin(broker, report)
        return warning

    def _refuse_anothers(self, broker: BaseBroker, report: KeyReport) -> None:
        label = broker.account.label
        with self._store.read() as connection:
            other = identities.pinned_by(
                connection, report.identity, broker=str(broker.broker_type), besides=label, among=self._others(broker)
            )
        if other is not None:
            raise self._refusal(broker, f"this key opens the account of {other} ({report.identity})")

    def _explain_change(self, broker: BaseBroker, report: KeyReport, pinned: Pin) -> str:
        """A warning where nothing proves or disproves that the new key opens the same account."""
        since = f"{pinned.at:%Y-%m-%d %H:%M} UTC"
        if report.names_account:
            raise self._refusal(
                broker, f"this key opens {report.identity}, this account was {pinned.identity} since {since}"
            )
        orders = self._traded_orders(broker.account.label)
        if not orders:
            return (
                "the API key was changed, and no order of this account proves that the new one opens the same account"
            )
        if not any(broker.get_order(order) is not None for order in orders):
            raise self._refusal(
                broker,
                f"this key does not show order {orders[0]}, which was traded with the earlier key (of {since}): "
                "it opens another account",
            )
        log.warning(
            "%s: the API key was changed; it shows order %s, so it opens the same account",
            broker.account.label,
            orders[0],
        )
        return ""

    def _refuse_who_shows_anothers_orders(self, broker: BaseBroker) -> None:
        """Two keys of one account would trade it twice, and copy its own trades to it."""
        for label in sorted(self._others(broker))[:OTHERS_ASKED]:
            for order in self._traded_orders(label)[:1]:
                if broker.get_order(order) is not None:
                    raise self._refusal(broker, f"this key shows order {order} of {label}: it opens that account")

    def _pin(self, broker: BaseBroker, report: KeyReport) -> None:
        label, now = broker.account.label, self._clock.now()
        self._store.write(lambda connection: identities.pin(connection, label, report.identity, at=now))
        log.info("%s: its account at %s is known as %s from now on", label, _venue(broker), report.identity)

    def _traded_orders(self, label: str) -> list[str]:
        with self._store.read() as connection:
            return list(identities.traded_orders(connection, label, limit=PROOFS_ASKED))

    def _others(self, broker: BaseBroker) -> set[str]:
        mine = broker.account
        return {other.label for other in self._accounts if other.broker is mine.broker and other != mine}

    def _refusal(self, broker: BaseBroker, why: str) -> KeyUnfit:
        label = broker.account.label
        return KeyUnfit(
            f"{label}: {why}. Give it its own account's key; if the change is meant: "
            f"python bot.py accounts accept-identity {label} --by NAME --reason TEXT"
        )


def _unbound(report: KeyReport) -> str:
    if not report.unbound:
        return ""
    return f"the API key is bound to no address: {report.unbound}. Bind it to this machine's where it was made"


def _venue(broker: BaseBroker) -> str:
    return broker.broker_type.proper_name
