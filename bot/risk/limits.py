"""Limits before every entry, judged inside the transaction that would send it.

All writes go one after the other through the store's single writer, so that what is counted here cannot change before
the entry itself counts. Exits are not judged: an account that is over a limit must be able to get smaller.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection

from bot.domain.order import OrderKind
from bot.domain.veto import Veto, VetoRule
from bot.risk import exposure_rules, flow_rules, loss_rules, trip_rules
from bot.risk.batch_books import BatchBooks
from bot.risk.books import RowBooks
from bot.risk.case import Case, InstrumentOf, LimitRules, NotKnown, PegOf
from bot.risk.rooms import rooms
from bot.risk.standing import anyone
from bot.risk.suspects import suspects_of
from bot.seams.clock import Clock
from bot.settings import Settings
from bot.storage.intents import OrderIntent

Rule = Callable[[Case], Veto | None]

MARK_STALE_SECONDS = 600.0

# In this order; the first that objects is the one that is written down.
RULES: Sequence[tuple[VetoRule, Rule]] = (
    (VetoRule.DUPLICATE, flow_rules.duplicate),
    (VetoRule.ORDER_RATE, flow_rules.order_rate),
    (VetoRule.REPEATED_REJECTS, flow_rules.repeated_rejects),
    (VetoRule.PRICE_COLLAR, flow_rules.price_collar),
    (VetoRule.DEPEG, flow_rules.depeg),
    (VetoRule.ORDER_NOTIONAL, exposure_rules.order_notional),
    (VetoRule.MAX_POSITIONS, exposure_rules.max_positions),
    (VetoRule.SYMBOL_NOTIONAL, exposure_rules.symbol_notional),
    (VetoRule.ACCOUNT_NOTIONAL, exposure_rules.account_notional),
    (VetoRule.DAILY_LOSS, loss_rules.daily_loss),
    (VetoRule.DRAWDOWN, loss_rules.drawdown),
    (VetoRule.COOLDOWN, trip_rules.cooldown),
    (VetoRule.LOSING_STREAK, trip_rules.losing_streak),
    (VetoRule.MAX_POSITIONS_ALL, exposure_rules.max_positions_all),
    (VetoRule.ALL_NOTIONAL, exposure_rules.all_notional),
)
LIMITS_OF: Mapping[VetoRule, Sequence[str]] = {
    VetoRule.DUPLICATE: ["duplicate_entry_seconds"],
    VetoRule.ORDER_RATE: ["max_entries_per_minute", "max_entries_per_minute_all_accounts"],
    VetoRule.REPEATED_REJECTS: ["max_rejects_in_a_row"],
    VetoRule.PRICE_COLLAR: ["price_collar_percent"],
    VetoRule.DEPEG: ["max_depeg_percent"],
    VetoRule.ORDER_NOTIONAL: ["max_order_notional_quote"],
    VetoRule.MAX_POSITIONS: ["max_positions"],
    VetoRule.SYMBOL_NOTIONAL: ["max_symbol_notional_quote"],
    VetoRule.ACCOUNT_NOTIONAL: ["max_account_notional_quote"],
    VetoRule.DAILY_LOSS: ["max_daily_loss_percent"],
    VetoRule.DRAWDOWN: ["max_drawdown_percent"],
    VetoRule.COOLDOWN: ["cooldown_after_loss_minutes"],
    VetoRule.LOSING_STREAK: ["max_losses_in_a_row"],
    VetoRule.MAX_POSITIONS_ALL: ["max_positions_all_accounts"],
    VetoRule.ALL_NOTIONAL: ["max_total_notional_quote"],
}

LIMITS_OF_ALL = ("max_positions_all_accounts", "max_total_notional_quote", "max_entries_per_minute_all_accounts")


def limit_rules(settings: Settings) -> LimitRules:
    """The limits as configured. A mark may be as old as four cycles: an account that is late is not lost."""
    risk = settings.risk
    return LimitRules(
        max_positions=risk.max_positions,
        max_positions_all_accounts=risk.max_positions_all_accounts,
        max_order_notional_quote=risk.max_order_notional_usd,
        max_symbol_notional_quote=risk.max_symbol_notional_usd,
        max_account_notional_quote=risk.max_account_notional_usd,
        max_total_notional_quote=risk.max_total_notional_usd,
        max_daily_loss_percent=risk.max_daily_loss_percent,
        max_drawdown_percent=risk.max_drawdown_percent,
        max_entries_per_minute=risk.max_entries_per_minute,
        max_entries_per_minute_all_accounts=risk.max_entries_per_minute_all_accounts,
        max_rejects_in_a_row=risk.max_rejects_in_a_row,
        rejects_pause_seconds=risk.rejects_pause_seconds,
        price_collar_percent=risk.price_collar_percent,
        duplicate_entry_seconds=risk.duplicate_entry_seconds,
        max_depeg_percent=risk.max_depeg_percent,
        cooldown_after_loss_minutes=risk.cooldown_after_loss_minutes,
        max_losses_in_a_row=risk.max_losses_in_a_row,
        losing_streak_pause_minutes=risk.losing_streak_pause_minutes,
        mark_stale_seconds=max(MARK_STALE_SECONDS, 4 * settings.pace.cycle_seconds),
        quote_currency=risk.quote_currency,
        at_par=settings.currencies_at_par(),
    )


class Limits:
    """The limits of every account, each by its own rows. `listed(account_id, symbol)` gives a market's rules if known.

    `peg_of(currency)` is its price in USD if a market tells it; it is asked of no venue.
    Rates and ages are by the wall clock, like the moments of sending in the rows.
    """

    def __init__(
        self,
        *,
        rules: LimitRules,
        clock: Clock,
        listed: InstrumentOf,
        peg_of: PegOf = lambda _currency: None,
    ) -> None:
        self.rules = rules
        self._peg_of = peg_of
        self._clock = clock
        self._listed = listed

    def veto(self, connection: Connection, intent: OrderIntent) -> Veto | None:
        """Why this entry may not leave, or None. To be asked within the transaction that marks it as being sent.

        A number that is not known, or a row that is none, vetoes under the rule that needs it.
        """
        if intent.kind is not OrderKind.ENTRY:
            return None
        return _verdict(self.case(connection, intent))

    def veto_all(self, connection: Connection, intents: Sequence[OrderIntent]) -> Mapping[str, Veto]:
        """`veto` for many entries of which none was ever sent, by client order id, in their order.

        Each that is let out counts for those behind it, as if it were marked as sent. The queries are a handful for
        all of them. Raises ValueError for an entry that was sent before: its own row would count against it.
        """
        now = self._clock.now()
        entries = [intent for intent in intents if intent.kind is OrderKind.ENTRY]
        if any(intent.attempt for intent in entries):
            raise ValueError("an entry that was sent before is judged by itself")
        books, rules, vetoes = BatchBooks(connection, entries, now=now), _in_force(self.rules), {}
        case_of = partial(Case, books, now=now, rules=self.rules, listed=self._listed, peg_of=self._peg_of)
        alone = _one_each(entries)
        suspects = suspects_of(books, case_of(entries[0]), entries) if alone else {}
        # Without a limit over all accounts nobody's entry is in the way of another's.
        together = not alone or any(getattr(self.rules, name) is not None for name in LIMITS_OF_ALL)
        for intent in entries:
            label = intent.account_id
            asked = [each for each in rules if each[0] not in suspects or label in suspects[each[0]]]
            veto = _verdict(case_of(intent), asked) if asked else None
            if veto is not None:
                vetoes[intent.client_order_id] = veto
            elif together:
                books.let_out(intent)
        return vetoes

    def rooms(self, connection: Connection, account_id: str, symbol: str) -> Mapping[str, Decimal]:
        """What the limits on notional leave for an entry, by the setting's name; empty where one of them is not known.

        What is not known then vetoes the entry as it is sent, with the reason.
        """
        try:
            return rooms(self.case(connection, replace(anyone(account_id), symbol=symbol)))
        except (NotKnown, ValueError, TypeError, ArithmeticError):
            return {}

    def case(self, connection: Connection, intent: OrderIntent) -> Case:
        """The entry with all that the rules may ask."""
        now = self._clock.now()
        return Case(RowBooks(connection), intent, now=now, rules=self.rules, listed=self._listed, peg_of=self._peg_of)


def _one_each(entries: Sequence[OrderIntent]) -> bool:
    """Whether no account has two of them; one that has would count against itself."""
    return bool(entries) and len({entry.account_id for entry in entries}) == len(entries)


def _verdict(case: Case, rules: Iterable[tuple[VetoRule, Rule]] = RULES) -> Veto | None:
    for name, rule in rules:
        try:
            veto = rule(case)
        except NotKnown as error:
            return Veto(name, str(error), {"unknown": str(error)})
        except (ValueError, TypeError, ArithmeticError) as error:
            why = f"a row that this limit needs cannot be read ({type(error).__name__}: {error})"
            return Veto(name, why[:300], {"unknown": why[:300]})
        if veto is not None:
            return veto
    return None


def _in_force(rules: LimitRules) -> Sequence[tuple[VetoRule, Rule]]:
    """Without those whose limit is off, so that a batch does not ask them for each of its entries."""
    return [(name, rule) for name, rule in RULES if any(getattr(rules, limit) is not None for limit in LIMITS_OF[name])]
