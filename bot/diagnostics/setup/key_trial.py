"""Whether a brokerage takes a key: connected, rights, whose account it opens, and what is in it. Nothing is traded."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from bot.broker_manager import build_broker
from bot.brokers.base import BaseBroker
from bot.brokers.contexts import live_access
from bot.brokers.credentials import Credentials
from bot.brokers.key_report import KeyReport
from bot.brokers.shared_parts import SharedParts, shared_parts
from bot.diagnostics.kraken_connection import keys_to_ourselves
from bot.diagnostics.setup.tried_key import Tried
from bot.domain.account import AccountRef
from bot.domain.errors import BalanceUnknown, CredentialsRejected, KeyUnfit, NijaError, RetryLater
from bot.domain.money import plain
from bot.seams.clock import SystemClock
from bot.settings import Settings
from bot.supervision.instance_lock import AlreadyRunning

_ADVICE = {
    "EAPI:Invalid key": "no such key is known there; was it copied whole, or deleted?",
    "EAPI:Invalid signature": "the secret does not belong to this key; copy both again",
    "EAPI:Invalid nonce": "another program uses this key; make one for this bot alone",
}


class KeyTrials:
    """Tries keys one after the other, while no bot uses them. `close` it after the last."""

    def __init__(self, settings: Settings) -> None:
        # With real money's pace, whatever the mode will be: it is the real brokerage that is asked.
        self._settings = settings.model_copy(update={"trading_mode": "live"})
        self._parts: SharedParts | None = None
        # By label: the brokerage, and the identity that it told for the key tried last.
        self._opened_by: dict[str, tuple[str, str]] = {}

    def try_key(self, account: AccountRef, credentials: Credentials) -> Tried:
        """Connect with the key and read its rights and its balance."""
        try:
            with keys_to_ourselves(self._settings), self._connected(account, credentials) as broker:
                report, cash = broker.key_report, broker.get_account_balance()
        except AlreadyRunning as error:
            return Tried(f"{error} It uses the keys: stop it, or use --offline")
        except CredentialsRejected as error:
            return Tried(f"{_without_label(str(error), account)}{_advice(error)}")
        except (RetryLater, BalanceUnknown) as error:
            return Tried(_without_label(str(error), account))
        except NijaError as error:
            return Tried(f"{account.broker.proper_name} cannot be asked: {_without_label(str(error), account)}")
        problem = self._unfit(account, report)
        if problem:
            return Tried(problem)
        quote = self._settings.quote_currency_of(account.broker)
        said = "" if report is None else f"{report.said_by}; "
        return Tried("", f"{said}cash {plain(cash)} {quote}", self._poor(cash, quote))

    def close(self) -> None:
        if self._parts is not None:
            self._parts.close()

    def _unfit(self, account: AccountRef, report: KeyReport | None) -> str:
        if report is None:
            return ""
        if report.withdraw_rights and not self._settings.allow_withdraw_keys:
            rights = ", ".join(report.withdraw_rights)
            return f"money can be withdrawn with this key ({rights}). Take that right away at the brokerage"
        where, mine = str(account.broker), account.label
        others = {label: seen for label, seen in self._opened_by.items() if label != mine}
        self._opened_by = others | {mine: (where, report.identity)}
        same = [label for label, seen in others.items() if seen == (where, report.identity)]
        return (
            f"this key opens the same account as that of {same[0]} ({report.identity}); each needs its own"
            if same
            else ""
        )

    def _poor(self, cash: Decimal, quote: str) -> tuple[str, ...]:
        least = self._settings.minimum_funded_usd
        if cash >= least:
            return ()
        return (f"{plain(cash)} {quote} of cash is less than minimum_funded_usd ({plain(least)}): it cannot trade yet",)

    @contextmanager
    def _connected(self, account: AccountRef, credentials: Credentials) -> Iterator[BaseBroker]:
        access = live_access(account.broker, self._settings, credentials)
        broker = build_broker(account, access, settings=self._settings, shared=self._shared())
        try:
            if not broker.connect():
                raise RetryLater("it did not connect")
            yield broker
        finally:
            broker.close()

    def _shared(self) -> SharedParts:
        if self._parts is None:
            self._parts = shared_parts(
                self._settings, SystemClock(offset_seconds=self._settings.test_clock_offset_seconds)
            )
        return self._parts


def _advice(error: CredentialsRejected) -> str:
    """Brokerages say in a code or a word what has gone wrong; a key that is unfit is told in a sentence already."""
    if isinstance(error, KeyUnfit):
        return ""
    return ": " + _ADVICE.get(
        error.venue_code,
        "make sure that key and secret belong together, and that this machine's address is allowed there",
    )


def _without_label(sentence: str, account: AccountRef) -> str:
    return sentence.removeprefix(f"{account.label}: ")
