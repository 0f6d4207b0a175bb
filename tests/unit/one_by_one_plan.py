"""The plan of a signal user by user, each with reads, a savepoint and rows of its own: slow, and what must come out.

`CopyPlanner` has to find the same for all users at once; `judge_one_by_one` is the same for the limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.balance import AssetBalance, BalanceReading, BalanceStatus, Holdings
from bot.domain.leaving import WhenDisabled
from bot.domain.money import percent_to_fraction
from bot.domain.order import OrderKind, OrderType
from bot.domain.signal import CopyReason, CopyStatus, TradeSignal
from bot.domain.symbol import quote_of
from bot.domain.veto import Veto
from bot.execution.entry_gate import EntryGate
from bot.followers import CopyLimits, Follower, Followers
from bot.position_sizer import CopyMode, EntryToCopy, NoSize, PositionSizer, Size
from bot.seams.ids import client_order_id
from bot.storage import copies, intents, memberships, positions, signals, symbol_pauses
from bot.storage.intents import OrderIntent
from bot.storage.schema import order_intent


class OneByOne:
    """`plan` writes the rows of every user; returns the entries that are to be sent."""

    def __init__(self, *, install_id: str, followers: Followers, limits: CopyLimits, now: datetime) -> None:
        self._install_id = install_id
        self._followers = followers
        self._limits = limits
        self._now = now
        self._entries: list[OrderIntent] = []
        self._rank = 0

    def plan(self, connection: Connection, signal: TradeSignal) -> Sequence[OrderIntent]:
        signals.claim_for_planning(connection, signal.signal_id, at=self._now)
        followers = {each.account.label: each for each in self._followers.followers_of(signal.broker)}
        for self._rank, label in enumerate(memberships.members_of(connection, signal.signal_id)):
            follower = followers.get(label)
            if follower is None or follower.leaving is not None:
                left = follower.leaving if follower is not None else None
                self._plan_for_one_who_left(connection, signal, label, left or WhenDisabled.CLOSE_ONLY)
            else:
                self._plan_guarded(connection, signal, follower)
        return self._entries

    def _plan_guarded(self, connection: Connection, signal: TradeSignal, follower: Follower) -> None:
        try:
            with connection.begin_nested():
                self._plan_one(connection, signal, follower)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - what is wrong with one user is its answer
            why = NoSize(CopyReason.PLANNING_FAILED, f"{type(error).__name__}: {error}"[:300])
            self._answer(connection, signal, follower.account.label, why, status=CopyStatus.FAILED)

    def _plan_for_one_who_left(
        self, connection: Connection, signal: TradeSignal, label: str, left: WhenDisabled
    ) -> None:
        if signal.kind is OrderKind.EXIT and left is not WhenDisabled.KEEP:
            self._plan_exit(connection, signal, label)
        else:
            why = NoSize(CopyReason.USER_LEFT, "the user does not copy any more")
            self._answer(connection, signal, label, why)

    def _plan_one(self, connection: Connection, signal: TradeSignal, follower: Follower) -> None:
        if signal.kind is OrderKind.EXIT:
            self._plan_exit(connection, signal, follower.account.label)
            return
        reading = self._reading(follower)
        size = self._entry_size(connection, signal, follower, reading)
        cash = None
        if reading.holdings is not None:
            planned, _ = self._under_way(connection, follower)
            cash = max(Decimal(0), reading.holdings.of(quote_of(signal.symbol)).total - planned)
        if isinstance(size, NoSize):
            self._answer(
                connection,
                signal,
                follower.account.label,
                self._with_ratio(signal, follower, size, cash),
                user_balance=cash,
            )
            return
        if follower.shadow:
            shadow = NoSize(CopyReason.SHADOW, f"would have bought {size.quantity:f}", size.ratio, size.capped)
            self._answer(connection, signal, follower.account.label, shadow, user_balance=cash, planned=size.quantity)
            return
        intent = self._entry_intent(signal, follower, size)
        intents.add_intent(connection, intent)
        copies.add_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=follower.account.label,
            planned_at=self._now,
            status=str(CopyStatus.PLANNED),
            reason="",
            detail="",
            client_order_id=intent.client_order_id,
            user_balance=cash,
            ratio=size.ratio,
            planned_quantity=size.quantity,
            rank=self._rank,
            capped_quantity=size.capped,
        )
        self._entries.append(intent)

    def _reading(self, follower: Follower) -> BalanceReading:
        """A shadow user has what its file says, as long as it has traded nothing in thought."""
        if not follower.shadow:
            return self._followers.balance_of(follower.account)
        cash = AssetBalance(follower.paper_balance, Decimal(0))
        return BalanceReading(BalanceStatus.FRESH, Holdings({"USD": cash}, self._now), 0.0)

    def _under_way(self, connection: Connection, follower: Follower) -> tuple[Decimal, Decimal]:
        """What entries that are not over would cost at the prices they were planned at, and at most."""
        query = select(order_intent).where(
            order_intent.c.account_id == follower.account.label,
            order_intent.c.kind == "entry",
            order_intent.c.side == "buy",
            order_intent.c.state.in_(["created", "submitted", "acknowledged", "partly_filled", "unknown"]),
        )
        planned = most = Decimal(0)
        for row in [] if follower.shadow else connection.execute(query).all():
            left = row.quantity - row.filled_quantity
            planned += left * row.reference_price
            most += left * max(row.reference_price, row.limit_price or row.reference_price)
        return planned, most * (1 + percent_to_fraction(self._fee(follower)))

    def _costs(self, connection: Connection, follower: Follower) -> Mapping[str, Decimal]:
        if follower.shadow:
            return {}
        label = follower.account.label
        costs = {position.symbol: position.cost_quote for position in positions.positions_of(connection, label)}
        query = select(order_intent).where(
            order_intent.c.account_id == label,
            order_intent.c.kind == "entry",
            order_intent.c.state.in_(["created", "submitted", "acknowledged", "partly_filled", "unknown"]),
        )
        for row in connection.execute(query):
            left = (row.quantity - row.filled_quantity) * row.reference_price
            costs[row.symbol] = costs.get(row.symbol, Decimal(0)) + left
        return costs

    def _with_ratio(self, signal: TradeSignal, follower: Follower, why: NoSize, cash: Decimal | None) -> NoSize:
        """What the user's share would have been, where that can be known."""
        rules, ratio = follower.rules, why.ratio
        if ratio is not None:
            return why
        if rules.mode is CopyMode.FIXED_AMOUNT and rules.fixed_amount_quote is not None:
            ratio = rules.risk_multiplier * rules.fixed_amount_quote / (signal.quantity * signal.reference_price)
        elif rules.mode is CopyMode.FIXED_RATIO and rules.fixed_ratio is not None:
            ratio = rules.risk_multiplier * rules.fixed_ratio
        elif rules.mode is CopyMode.BALANCE_RATIO and cash is not None and signal.master_balance:
            ratio = rules.risk_multiplier * cash / signal.master_balance
        return replace(why, ratio=ratio)

    def _entry_size(
        self, connection: Connection, signal: TradeSignal, follower: Follower, reading: BalanceReading
    ) -> Size | NoSize:
        label = follower.account.label
        paused = symbol_pauses.pause_reason(connection, label, signal.symbol)
        if paused:
            return NoSize(CopyReason.SYMBOL_PAUSED, paused)
        if signal.symbol in intents.symbols_needing_a_person(connection, label):
            return NoSize(CopyReason.NEEDS_PERSON, "an earlier order's outcome is contradictory: python bot.py resolve")
        not_ready = self._followers.not_ready_reason(follower.account)
        if not_ready and not follower.shadow:
            return NoSize(CopyReason.ACCOUNT_NOT_READY, not_ready)
        if reading.holdings is None:
            return NoSize(CopyReason.BALANCE_UNKNOWN, reading.reason)
        if reading.status is not BalanceStatus.FRESH:
            return NoSize(CopyReason.BALANCE_STALE, f"{reading.age_seconds:.0f} s old: {reading.reason}")
        instrument = self._followers.instrument_of(signal.broker, signal.symbol)
        if instrument is None:
            return NoSize(CopyReason.SYMBOL_UNKNOWN, f"{signal.broker} lists no {signal.symbol}")
        cash = reading.holdings.of(quote_of(signal.symbol))
        planned, most = self._under_way(connection, follower)
        total, available = max(Decimal(0), cash.total - planned), max(Decimal(0), cash.available - most)
        costs = self._costs(connection, follower)
        value = total + sum(costs.values(), Decimal(0))
        at_par = all(quote_of(symbol) in self._limits.at_par for symbol in costs)
        if value < self._limits.minimum_funded_quote and at_par:
            not_funded = f"not funded: {value:.2f} is below {self._limits.minimum_funded_quote:f}"
            return NoSize(CopyReason.ACCOUNT_NOT_READY, not_funded)
        entry = EntryToCopy(
            symbol=signal.symbol,
            quantity=signal.quantity,
            price=signal.reference_price,
            master_balance=signal.master_balance,
            user_balance=total,
            user_available=available,
            reserve_percent=(Decimal("1.005") * (1 + percent_to_fraction(self._fee(follower))) - 1) * 100,
            user_exposure_by_symbol=costs,
        )
        return PositionSizer().size_entry(entry, follower.rules, instrument)

    def _fee(self, follower: Follower) -> Decimal:
        return self._followers.taker_fee_percent(follower.account, "BTC/USD")

    def _entry_intent(self, signal: TradeSignal, follower: Follower, size: Size) -> OrderIntent:
        instrument = self._followers.instrument_of(signal.broker, signal.symbol)
        assert instrument is not None
        slippage = percent_to_fraction(self._limits.max_copy_slippage_percent)
        label = follower.account.label
        return OrderIntent(
            client_order_id=client_order_id(
                install_id=self._install_id, decision_id=signal.signal_id, account_id=label, leg="entry", attempt=0
            ),
            account_id=label,
            signal_id=signal.signal_id,
            decision="; ".join((f"copy of the {signal.broker} master's entry", *size.words)),
            symbol=signal.symbol,
            side=signal.side,
            kind=OrderKind.ENTRY,
            order_type=OrderType.LIMIT_IOC,
            quantity=size.quantity,
            limit_price=instrument.buy_cap(signal.reference_price * (1 + slippage)),
            balance_before=None,
            reference_price=signal.reference_price,
            exit_plan=signal.exit_plan,
            created_at=self._now,
        )

    def _plan_exit(self, connection: Connection, signal: TradeSignal, label: str) -> None:
        followers = self._followers.followers_of(signal.broker)
        if any(each.shadow and each.account.label == label for each in followers):
            # In these plans nothing was ever bought in thought.
            nothing = NoSize(CopyReason.NOTHING_HELD, f"no copied {signal.symbol} would be held")
            self._answer(connection, signal, label, nothing)
            return
        held = positions.find_position(connection, label, signal.symbol)
        planned = any(
            row.symbol == signal.symbol and row.kind == "entry" for row in copies.planned_copies(connection, label)
        )
        if held is None and not planned:
            nothing = NoSize(CopyReason.NOTHING_HELD, f"no copied {signal.symbol} is held")
            self._answer(connection, signal, label, nothing)
            return
        copies.add_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=label,
            planned_at=self._now,
            status=str(CopyStatus.PLANNED),
            reason="",
            detail="",
            ratio=signal.size,
            rank=self._rank,
        )

    def _answer(
        self,
        connection: Connection,
        signal: TradeSignal,
        label: str,
        why: NoSize,
        *,
        status: CopyStatus = CopyStatus.SKIPPED,
        user_balance: Decimal | None = None,
        planned: Decimal | None = None,
    ) -> None:
        copies.add_copy(
            connection,
            signal_id=signal.signal_id,
            account_id=label,
            planned_at=self._now,
            status=str(status),
            reason=str(why.reason),
            detail=why.detail,
            user_balance=user_balance,
            ratio=why.ratio,
            planned_quantity=planned,
            answered_at=self._now,
            rank=self._rank,
            capped_quantity=why.capped,
        )


def judge_one_by_one(
    connection: Connection, gate: EntryGate, entries: Sequence[OrderIntent], *, now: datetime
) -> Mapping[str, Veto]:
    """Each entry is judged, and marked as sent if it is let out, before the next one is."""
    vetoes = {}
    for entry in entries:
        veto = gate.admit(connection, entry)
        if veto is not None:
            vetoes[entry.client_order_id] = veto
            continue
        submitted = intents.submit(
            connection,
            entry.client_order_id,
            epoch=1,
            at=now,
            expires_at=None,
            settle_at=now,
            payload_sha256="",
            quantity=entry.quantity,
            limit_price=entry.limit_price,
        )
        assert submitted, "the account's lease is in force"
    return vetoes
