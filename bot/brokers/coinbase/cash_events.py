"""What changed Coinbase's wallets without a trade, from the transactions of each wallet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.coinbase.calls import CoinbaseCalls
from bot.brokers.coinbase.old_lists import old_pages
from bot.brokers.replies import (
    ZERO,
    as_object,
    field_of,
    flag_of,
    id_of,
    iso_time,
    number_of,
    optional_text,
    text_of,
)
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import UnreadableReply
from bot.seams.clock import Clock

TRADE = "advanced_trade_fill"
DONE, PENDING = "completed", frozenset({"pending", "waiting_for_clearing", "waiting_for_signature"})
# Coinbase's types (its documentation of transactions, and those that its older products have left behind). One that is
# not here is told as it is. Of the first ones the sign says which of the two they are.
EITHER_WAY = frozenset({"send", "receive", "tx", "request"})
KINDS: Mapping[str, CashKind] = MappingProxyType(
    {
        word: kind
        for kind, words in (
            (CashKind.DEPOSIT, ("fiat_deposit",)),
            (CashKind.WITHDRAWAL, ("fiat_withdrawal", "cardspend")),
            (
                CashKind.TRANSFER,
                (
                    "transfer",
                    "exchange_deposit",
                    "exchange_withdrawal",
                    "pro_deposit",
                    "pro_withdrawal",
                    "intx_deposit",
                    "intx_withdrawal",
                    "vault_withdrawal",
                    "staking_transfer",
                    "unstaking_transfer",
                ),
            ),
            (CashKind.STAKING, ("staking_reward", "inflation_reward")),
            (
                CashKind.DIVIDEND,
                ("interest", "earn_payout", "incentives_rewards_payout", "subscription_rebate"),
            ),
            (CashKind.CONVERSION, ("trade", "buy", "sell", "wrap_asset", "unwrap_asset", "retail_simple_dust")),
            (CashKind.FEE, ("subscription",)),
            (CashKind.ADJUSTMENT, ("clawback", "incentives_shared_clawback")),
        )
        for word in words
    }
)
# An entry is listed by when it began; on the first look those that were pending may be as old as this.
FIRST_LOOK_BACK = timedelta(days=7)
LATE = timedelta(minutes=10)
# A wallet whose balance has not changed is asked no more after so long, and all the same now and then.
SETTLING = timedelta(minutes=15)
QUIET = timedelta(hours=1)


@dataclass(frozen=True)
class _Wallet:
    """One wallet as it was when its transactions were last read; `pending_since` = when the oldest unfinished began."""

    asset: str
    total: Decimal
    read_at: datetime
    changed_at: datetime
    pending_since: datetime | None = None


class CoinbaseLedger:
    """One account's. A wallet costs a call a page, so those in which nothing happens are left alone."""

    def __init__(self, calls: CoinbaseCalls, clock: Clock, *, label: str) -> None:
        self._calls = calls
        self._clock = clock
        self._label = label
        self._wallets: Mapping[str, _Wallet] = {}
        self._last_since: datetime | None = None

    def events_since(self, since: datetime) -> Sequence[CashEvent]:
        """Oldest first. One wallet that fails fails the reading. Raises `RetryLater` or `UnreadableReply`."""
        # Asked for the same time again: what was given then may not have been kept.
        again = self._last_since is None or since <= self._last_since
        found: dict[str, CashEvent] = {}
        wallets: dict[str, _Wallet] = {}
        for wallet_id, seen in self._balances().items():
            before = self._wallets.get(wallet_id)
            if before is not None and not again and not _is_due(before, seen):
                wallets[wallet_id] = before
                continue
            events, pending_since = self._transactions(wallet_id, seen.asset, begin=_begin(before, since))
            found |= events
            moved = before is None or before.total != seen.total
            changed_at = seen.changed_at if moved or before is None else before.changed_at
            wallets[wallet_id] = replace(seen, changed_at=changed_at, pending_since=pending_since)
        self._wallets, self._last_since = wallets, since
        # Times are whole seconds: what has the same one stays in the order of its list, turned round.
        oldest_first = list(found.values())[::-1]
        oldest_first.sort(key=lambda event: event.at)
        return oldest_first

    def _balances(self) -> Mapping[str, _Wallet]:
        """The wallets that count, by their ids; read before their transactions."""
        now = self._clock.now()
        found: dict[str, _Wallet] = {}
        for row in self._calls.pages("/accounts", "accounts", {"limit": "250"}):
            where = f"{self._label}: Coinbase account"
            fields = as_object(row, where=where)
            if not counts(fields, where=where):
                continue
            available = as_object(field_of(fields, "available_balance", where=where), where=where)
            held = as_object(field_of(fields, "hold", where=where), where=where)
            total = number_of(available, "value", where=where) + number_of(held, "value", where=where)
            asset = text_of(fields, "currency", where=where)
            found[id_of(fields, "uuid", where=where)] = _Wallet(asset, total, now, now)
        return found

    def _transactions(
        self, wallet_id: str, asset: str, *, begin: datetime
    ) -> tuple[dict[str, CashEvent], datetime | None]:
        """What is done, by id, and since when the oldest of what is not yet done is pending; the newest come first."""
        found: dict[str, CashEvent] = {}
        pending_since: datetime | None = None
        for row in old_pages(self._calls, f"/accounts/{wallet_id}/transactions", label=self._label):
            where = f"{self._label}: Coinbase transaction"
            fields = as_object(row, where=where)
            at = iso_time(text_of(fields, "created_at", where=where), where=where)
            if at < begin:
                break
            if text_of(fields, "status", where=where) in PENDING:
                pending_since = at
            event = transaction_from(fields, asset, at, where=where)
            if event is not None:
                found[event.event_id] = event
        return found, pending_since


def counts(account: Mapping[str, object], *, where: str) -> bool:
    """Whether this wallet of `GET /accounts` is one of those that can trade."""
    return flag_of(account, "active", default=True, where=where) and account.get("type") != "ACCOUNT_TYPE_VAULT"


def _is_due(before: _Wallet, seen: _Wallet) -> bool:
    """Whether something may have happened in a wallet. Its list may lag behind its balance."""
    now = seen.read_at
    return (
        before.total != seen.total
        or before.pending_since is not None
        or now - before.changed_at < SETTLING
        or now - before.read_at >= QUIET
    )


def _begin(before: _Wallet | None, since: datetime) -> datetime:
    if before is None:
        return since - FIRST_LOOK_BACK
    return min(since, before.read_at, before.pending_since or since) - LATE


def transaction_from(fields: Mapping[str, object], asset: str, at: datetime, *, where: str) -> CashEvent | None:
    """The event; None for a trade, and for what is not done or has come to nothing. Raises `UnreadableReply`."""
    event_id = id_of(fields, "id", where=where)
    where = f"{where} {event_id}"
    word, status = text_of(fields, "type", where=where), text_of(fields, "status", where=where)
    money = as_object(field_of(fields, "amount", where=where), where=where)
    change = number_of(money, "amount", where=f"{where} amount", minimum=None)
    if text_of(money, "currency", where=f"{where} amount") != asset:
        raise UnreadableReply(f"{where}: it is in the wallet of {asset} and not in {asset}")
    if word == TRADE or status != DONE or change == 0:
        return None
    fee = _network_fee(fields, change, asset, where=where)
    either = CashKind.DEPOSIT if change > 0 else CashKind.WITHDRAWAL
    return CashEvent(
        event_id=event_id,
        kind=either if word in EITHER_WAY else KINDS.get(word, CashKind.OTHER),
        asset=asset,
        amount=change + fee,
        fee=fee,
        at=at,
        reference=_reference(fields, word),
        detail=word,
    )


def _network_fee(fields: Mapping[str, object], change: Decimal, asset: str, *, where: str) -> Decimal:
    """What of a sending went to the network: part of the change, where the parts make up the whole."""
    network = fields.get("network")
    if change > 0 or not isinstance(network, dict):
        return ZERO
    parts = [network.get(name) for name in ("transaction_fee", "transaction_amount")]
    if not all(isinstance(part, dict) and part.get("currency") == asset for part in parts):
        return ZERO
    fee, sent = (number_of(as_object(part, where=where), "amount", where=f"{where} network") for part in parts)
    return fee if fee + sent == -change else ZERO


def _reference(fields: Mapping[str, object], word: str) -> str:
    """A conversion's two sides name it in an object that has the type's name."""
    matter = fields.get(word)
    return optional_text(matter, "id") or "" if isinstance(matter, dict) else ""
