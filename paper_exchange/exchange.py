"""The exchange as its fronts see it: engine, market, accounts, journal and faults, tied together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

from paper_exchange.api_keys import Account, AccountRegistry, BadAccount
from paper_exchange.catalogue import Catalogue
from paper_exchange.clock import Clock
from paper_exchange.dead_mans_switch import STATE_NAME as SWITCHES
from paper_exchange.dead_mans_switch import DeadMansSwitches
from paper_exchange.engine import Engine
from paper_exchange.faults import FaultPlan
from paper_exchange.funding import STATE_NAME as FUNDING
from paper_exchange.funding import FundingAccounts, Transfer
from paper_exchange.ids import Ids
from paper_exchange.journal import Journal, JournalEntry
from paper_exchange.latency import Latency
from paper_exchange.market import Market, Quote
from paper_exchange.nonces import NonceBook
from paper_exchange.orders import (
    ZERO,
    Accepted,
    Amended,
    Canceled,
    Event,
    Expired,
    Filled,
    LedgerEntry,
    LedgerKind,
    Movement,
    Order,
    Refusal,
    RefusalCode,
    Trade,
)
from paper_exchange.stock_session import STATE_NAME as SESSION
from paper_exchange.stock_session import BadSession, SessionMode, StockSession
from paper_exchange.websocket_tokens import WebSocketTokens
from paper_exchange.write_ahead import WriteAhead

EVENT_TYPES: dict[type[Event], str] = {
    Accepted: "accept", Amended: "amend", Filled: "fill", Canceled: "cancel", Expired: "expire",
}  # fmt: skip
"""Journal line type by event; a triggered stop has no line of its own, its fills do."""

AccountState = Callable[[Account, Mapping[str, object]], dict[str, object]]
"""Changes the flags that are named and gives all of them; raises BadAccount."""


class BadMarketChange(ValueError):
    """A change of the market that makes no sense; the message names the field."""


class Exchange:
    """One market, one engine, and accounts that each belong to one brokerage. Used from one thread only."""

    def __init__(
        self,
        *,
        engine: Engine,
        market: Market,
        catalogue: Catalogue,
        journal: Journal,
        clock: Clock,
        registry: AccountRegistry,
        nonces: NonceBook,
        ids: Ids,
        seed: int,
        epoch: int,
        saved_parts: Mapping[str, Any] | None = None,
    ) -> None:
        self.engine = engine
        self.market = market
        self.catalogue = catalogue
        self.journal = journal
        self.clock = clock
        self.registry = registry
        self.nonces = nonces
        self.ids = ids
        self.seed = seed
        self.epoch = epoch
        self.faults = FaultPlan()
        self.latency = Latency()
        self.write_ahead: WriteAhead | None = None
        """Set to judge on arrival whether orders were written down before they were sent."""
        self.websocket_tokens = WebSocketTokens()
        self.saved_parts = saved_parts or {}
        """What parts outside the engine had saved; ``parts`` gives what they save now, by the same name."""
        self.switches = DeadMansSwitches(self.saved_parts.get(SWITCHES))
        self.session = StockSession(self.saved_parts.get(SESSION))
        """When the stock markets are open."""
        self.parts: dict[str, Callable[[], object]] = {
            SWITCHES: self.switches.snapshot,
            SESSION: self.session.snapshot,
        }
        self.funding = FundingAccounts(self.saved_parts.get(FUNDING))
        self.parts[FUNDING] = self.funding.snapshot
        self.listeners: list[Callable[[Event], None]] = []
        """Called with every event of the engine, after it is journaled; they may place orders."""
        self.money_listeners: list[Callable[[str], None]] = []
        """Called with the id of an account whose money came or went without an order."""
        self.close_listeners: list[Callable[[int], None]] = []
        """Called with the time of every close of the stock markets."""
        self.account_states: dict[str, AccountState] = {}
        """By brokerage, what sets flags of an account there that no client can set, and gives all of them."""
        self.changed = asyncio.Event()
        """Set when there is something new for the state file; ``changes`` counts what was ever new."""
        self.changes = 0
        self.keep: Callable[[], None] = lambda: None
        """Called before an answer leaves, so that what a client has been told survives the process."""

    def account_by_key(self, brokerage: str, api_key: str) -> Account | None:
        return self.registry.by_key(brokerage, api_key)

    def open_account(
        self,
        brokerage: str,
        name: str,
        balances: Mapping[str, Decimal],
        permissions: Iterable[str] | None = None,
        tier: str | None = None,
        *,
        strict: bool = False,
        nonce_window: int = 0,
    ) -> dict[str, object]:
        """Open an account, or find it: the same brokerage and name give the same keys, and balances stay as they are.

        Raises BadAccount, whose message names the field.
        """
        account = self.registry.by_name(brokerage, name)
        created = account is None
        if account is None:
            self._check_assets(balances)
            now_ns = self.advance()
            account = self.registry.create(
                brokerage,
                name,
                permissions=permissions,
                tier=tier,
                strict=strict,
                nonce_window=nonce_window,
                now_ns=now_ns,
            )
            self.engine.open_account(account.account_id, brokerage, balances, account.tier, now_ns=now_ns)
            self.note_change()
        return {
            "brokerage": brokerage,
            "name": name,
            "account_id": account.account_id,
            "api_key": account.api_key,
            "api_secret": account.api_secret,
            **({"api_passphrase": account.passphrase} if account.passphrase else {}),
            "permissions": sorted(account.permissions),
            "tier": account.tier,
            "strict": account.strict,
            "created": created,
        }

    def rotate_key(self, account: Account) -> Account:
        """The account's new key; orders, fills and balances are the account's and stay as they are."""
        rotated = self.registry.rotate(account)
        self.note_change()
        return rotated

    def grant(self, account: Account, permissions: Iterable[str]) -> Account:
        """Change what the account's key may do, from its next request on. Raises BadAccount."""
        changed = self.registry.grant(account, permissions)
        self.note_change()
        return changed

    def note_change(self) -> None:
        """Say that there is something new for the state file."""
        self.changes += 1
        self.changed.set()

    def advance(self) -> int:
        """Bring market and engine to the present, journal what that caused, and return the time in nanoseconds."""
        now_ns = self.clock.now_ns()
        for change_ns, opens in self.session.take_due(now_ns):
            self._open_or_close(change_ns, opens=opens)
        for trigger_ns, account_id in self.switches.take_due(now_ns):
            self._cancel_everything(account_id, trigger_ns)
        self.engine.advance(now_ns)
        self.publish_events()
        return now_ns

    def _open_or_close(self, now_ns: int, *, opens: bool) -> None:
        """The stock markets open or close: what happened until then comes first."""
        self.note_change()
        if opens is not self.market.closed:
            return
        self.engine.advance(now_ns)
        if not opens:
            for listener in self.close_listeners:
                listener(now_ns)
        self.market.set_closed(not opens)
        self.publish_events()

    def _cancel_everything(self, account_id: str, now_ns: int) -> None:
        """A dead man's switch has gone off: what the market did until then comes first."""
        self.engine.advance(now_ns)
        self.publish_events()
        for order in self.engine.open_orders(account_id):
            self.engine.cancel(account_id, order.order_id, now_ns)
        self.publish_events(endpoint="CancelAllOrdersAfter")

    def tick(self) -> None:
        """What time alone does (fills of resting orders, stops, expiries) while nobody calls."""
        due = self.session.is_due(self.clock.now_ns())
        if due or any(self.engine.open_orders(account.account_id) for account in self.registry):
            self.advance()

    def publish_events(self, *, endpoint: str | None = None, nonce: str | None = None) -> None:
        """Journal what the engine did since the last time; ``endpoint`` and ``nonce`` are those of the call at hand."""
        while events := self.engine.drain_events():
            self.note_change()
            for event in events:
                self._publish(event, endpoint, nonce)
                for listener in self.listeners:
                    listener(event)

    def deposit(self, account: Account, asset: str, amount: Decimal, *, to_funding: bool = False) -> None:
        """Money from outside, to trade with or (``to_funding``) into the account's funding account.

        Raises BadAccount for an asset unknown here.
        """
        self._check_assets({asset: amount})
        if to_funding:
            deposit_id = self.ids.ledger_id(account.brokerage)
            self.funding.deposit(account.account_id, asset, amount, deposit_id=deposit_id, now_ns=self.advance())
        else:
            with _bad_amount():
                self.engine.deposit(account.account_id, asset, amount, self.advance())
        self._note_money(account)

    def withdraw(self, account: Account, asset: str, amount: Decimal) -> None:
        """Money that its owner takes out of what can be traded with. Raises BadAccount for more than is available."""
        self._check_assets({asset: amount})
        with _bad_amount():
            self.engine.withdraw(account.account_id, asset, amount, self.advance())
        self._note_money(account)

    def move(self, account: Account, movements: Sequence[Movement], reference: str | None = None) -> list[LedgerEntry]:
        """Book what moves without an order, all or nothing; raises BadAccount. Entries without a reference get one."""
        self._check_assets({one.asset: one.amount for one in movements})
        now_ns = self.advance()
        with _bad_amount():
            reference = reference or self.ids.ledger_id(account.brokerage)
            entries = self.engine.move(account.account_id, movements, reference, now_ns)
        self._note_money(account)
        return entries

    def transfer(self, account: Account, asset: str, amount: Decimal, now_ns: int) -> Transfer:
        """Between the account's funding and trading accounts; ``amount`` is above zero for what goes into trading.

        Raises `Refusal` (INSUFFICIENT_FUNDS), or `ValueError` for an amount that is none.
        """
        account_id = account.account_id
        if self.funding.balances(account_id).get(asset, ZERO) < amount:
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {asset} is in the funding account")
        transfer_id = self.ids.ledger_id(account.brokerage)
        movement = Movement(asset=asset, kind=LedgerKind.TRANSFER, amount=amount)
        (entry,) = self.engine.move(account_id, [movement], transfer_id, now_ns)
        moved = Transfer(transfer_id=transfer_id, asset=asset, amount=amount, ledger_id=entry.ledger_id, time_ns=now_ns)
        self.funding.note_transfer(account_id, moved)
        self._note_money(account)
        return moved

    def _note_money(self, account: Account) -> None:
        self.note_change()
        for listener in self.money_listeners:
            listener(account.account_id)

    def set_market(
        self,
        symbol: str,
        *,
        price: Decimal | None = None,
        halted: bool | None = None,
        rules: Mapping[str, str] | None = None,
    ) -> None:
        """Move, halt or re-rule one symbol; orders react at once. Raises BadMarketChange naming the field."""
        self._check_symbol(symbol)
        self.advance()
        if price is not None:
            with _named("price"):
                self.market.set_price(symbol, price)
        if rules is not None:
            with _named("rules"):
                self.market.set_rules(symbol, rules)
        if halted is not None:
            self.market.set_halted(symbol, halted)
        self.note_change()
        self.advance()

    def set_paused(self, paused: bool) -> None:
        """Stop the tape (orders still work against the last quotes) or let it go on."""
        self.advance()
        if paused:
            self.market.pause()
        else:
            self.market.resume()
        self.note_change()

    def set_session(self, mode: str, *, next_open_ns: int | None = None, next_close_ns: int | None = None) -> int:
        """Change when the stock markets are open, and give the time of the change. Raises BadSession."""
        if mode not in set(SessionMode):
            raise BadSession(f"mode: {mode!r} is not one of {', '.join(SessionMode)}")
        self.session.set(SessionMode(mode), self.advance(), next_open_ns=next_open_ns, next_close_ns=next_close_ns)
        return self.advance()

    def quote(self, symbol: str) -> Quote:
        self._check_symbol(symbol)
        return self.engine.quote(symbol)

    def _publish(self, event: Event, endpoint: str | None, nonce: str | None) -> None:
        kind = EVENT_TYPES.get(type(event))
        if kind is not None:
            self.journal.write_later(partial(self._line, event, kind, endpoint, nonce), time_ns=event.time_ns)

    def _line(self, event: Event, kind: str, endpoint: str | None, nonce: str | None) -> JournalEntry:
        order = event.order
        brokerage, _, account = order.account_id.partition(":")
        trade = event.trade if isinstance(event, Filled) else None
        return JournalEntry(
            type=kind,
            brokerage=brokerage,
            account=account,
            endpoint=endpoint,
            nonce=nonce,
            client_order_id=order.client_order_id,
            order_id=order.order_id,
            trade_id=trade.trade_id if trade else None,
            symbol=order.symbol,
            side=order.side.value,
            quantity=trade.quantity if trade else self._quantity(order),
            price=trade.price if trade else order.limit_price,
            fee=trade.fee if trade else None,
            fee_asset=_fee_asset(trade) if trade else None,
            error=order.close_reason if kind in ("cancel", "expire") else None,
        )

    def _quantity(self, order: Order) -> Decimal | None:
        """Base units asked for; of an order by notional, which never rests, those it bought in the end."""
        return order.quantity if order.quantity is not None else self.engine.order(order.order_id).filled_quantity

    def _check_symbol(self, symbol: str) -> None:
        if symbol not in self.market.symbols_trading():
            raise BadMarketChange(f"symbol: {symbol!r} does not trade here")

    def _check_assets(self, balances: Mapping[str, Decimal]) -> None:
        for asset in balances:
            if asset not in self.catalogue.assets():
                raise BadAccount(f"balances: {asset!r} is not an asset of this exchange")


def _fee_asset(trade: Trade) -> str:
    base, _, quote = trade.symbol.partition("/")
    return base if trade.fee_in_base else quote


@contextmanager
def _bad_amount() -> Iterator[None]:
    """Turn what the engine has against an amount into a sentence that names the field."""
    try:
        yield
    except (Refusal, ValueError) as problem:
        raise BadAccount(f"amount: {problem}") from None


@contextmanager
def _named(field: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, ArithmeticError) as problem:
        raise BadMarketChange(f"{field}: {problem}") from None
