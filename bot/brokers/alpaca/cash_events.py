"""What changed an Alpaca account without a trade: money, fees that come later, dividends, and shares by splits.

An activity may move money, shares, or both; shares make an event of their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from bot.brokers.alpaca.readings import AlpacaReadings
from bot.brokers.alpaca.stocks import CURRENCY
from bot.brokers.replies import ZERO, as_object, iso_time, number_of, optional_text, text_of
from bot.domain.cash_event import CashEvent, CashKind
from bot.domain.errors import UnreadableReply

FILL, SPLIT = "FILL", "SPLIT"
# Activities are found by their day, and some are booked days after it.
LATE = timedelta(days=7)
# The halves of a split are booked together; a half that stays alone for so long is the whole.
TOGETHER = timedelta(minutes=5)
HALF_A_SPLIT = timedelta(minutes=15)
PENDING = frozenset({"pending", "queued"})
TAKEN_BACK = frozenset({"canceled", "cancelled"})
# Alpaca's types (its documentation of account activities). One that is not here is told as it is.
KINDS: Mapping[str, CashKind] = MappingProxyType(
    {
        word: kind
        for kind, words in (
            (CashKind.DEPOSIT, ("CSD",)),
            (CashKind.WITHDRAWAL, ("CSW",)),
            (CashKind.TRANSFER, ("JNL", "JNLC", "JNLS", "ACATC", "ACATS")),
            (
                CashKind.DIVIDEND,
                (
                    *("DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX"),
                    *("INT", "INTNRA", "INTTW", "CIL"),
                ),
            ),
            (CashKind.FEE, ("FEE", "CFEE", "PTC", "PTR")),
            (CashKind.SPLIT, (SPLIT,)),
            (CashKind.ADJUSTMENT, ("SPIN", "REORG", "MA", "NC", "SC", "SSO", "SSP")),
        )
        for word in words
    }
)
# In these `qty` is by how much the shares changed; in a dividend's it is how many were paid for.
MOVES_SHARES = frozenset(
    {"JNLS", "ACATS", SPLIT, "SPIN", "REORG", "MA", "NC", "SC", "SSO", "SSP", "OPASN", "OPEXP", "OPXRC"}
)
SHARES, REVERSAL = "/shares", "/reversed"


def cash_events(readings: AlpacaReadings, since: datetime, *, now: datetime) -> Sequence[CashEvent]:
    """Oldest first, also those of the week before; `now` is the venue's time.

    Raises `RetryLater`, `UnreadableReply` or `CredentialsRejected`.
    """
    found = {
        event.event_id: event for activity in readings.movements(after=since - LATE) for event in events_from(activity)
    }
    return sorted(_whole_splits(found.values(), now), key=lambda event: event.at)


def _whole_splits(events: Iterable[CashEvent], now: datetime) -> Iterator[CashEvent]:
    """One event for each split: the venue may take all old shares away and give the new ones as another activity.

    Shares that were only taken away may be half of one, so they are told when no other half has come for a while.
    """
    splits: list[CashEvent] = []
    for event in events:
        if event.kind is CashKind.SPLIT and event.asset != CURRENCY:
            splits.append(event)
        else:
            yield event
    for parts in _matters(splits):
        net = sum((part.amount for part in parts), ZERO)
        taken_back = parts[0].event_id.endswith(REVERSAL)
        given = [part for part in parts if (part.amount < 0) is taken_back]
        if net and (given or taken_back or now - parts[-1].at >= HALF_A_SPLIT):
            yield replace((given or parts)[0], amount=net)


def _matters(splits: Iterable[CashEvent]) -> Iterator[Sequence[CashEvent]]:
    """Of one stock and booked together, each with what was taken back of it apart."""
    matters: dict[tuple[str, bool], list[CashEvent]] = {}
    for event in sorted(splits, key=lambda one: one.at):
        key = event.asset, event.event_id.endswith(REVERSAL)
        parts = matters.get(key)
        if parts is not None and event.at - parts[-1].at > TOGETHER:
            yield parts
            parts = None
        matters[key] = [*(parts or ()), event]
    yield from matters.values()


def events_from(value: object) -> Iterator[CashEvent]:
    """The events of one activity: none of a trade's or of what is not done. Raises `UnreadableReply`.

    What was taken back is told together with its taking back, whether it was ever told before or not.
    """
    fields = as_object(value, where="Alpaca activity")
    activity_id = text_of(fields, "id", where="Alpaca activity")
    where = f"Alpaca activity {activity_id[:60]}"
    word, status = text_of(fields, "activity_type", where=where), optional_text(fields, "status") or ""
    if word == FILL or status in PENDING:
        return
    at = _booked_at(fields, activity_id, where=where)
    for event in _parts(fields, activity_id, word, at, where=where):
        yield event
        if status in TAKEN_BACK:
            yield CashEvent(
                event_id=f"{event.event_id}{REVERSAL}",
                kind=event.kind,
                asset=event.asset,
                amount=-event.amount,
                at=at,
                reference=event.event_id,
                detail=f"{event.detail} taken back",
            )


def _parts(
    fields: Mapping[str, object], activity_id: str, word: str, at: datetime, *, where: str
) -> Iterator[CashEvent]:
    if not activity_id or not activity_id.isascii() or not activity_id.isprintable() or len(activity_id) > 100:
        raise UnreadableReply(f"{where}: the field id is no id")
    kind, detail = KINDS.get(word, CashKind.OTHER), _detail(fields, word)
    symbol = optional_text(fields, "symbol") or ""
    money = _amount(fields, "net_amount", where=where)
    if money:
        yield CashEvent(
            event_id=activity_id, kind=kind, asset=CURRENCY, amount=money, at=at, reference=symbol, detail=detail
        )
    shares = _amount(fields, "qty", where=where) if word in MOVES_SHARES else ZERO
    if shares and not symbol:
        raise UnreadableReply(f"{where}: {shares} shares of nothing: the field symbol is missing")
    if shares and "/" not in symbol:  # a coin is no stock
        yield CashEvent(
            event_id=f"{activity_id}{SHARES}",
            kind=kind,
            asset=symbol,
            amount=shares,
            at=at,
            reference=activity_id,
            detail=detail,
        )


def _amount(fields: Mapping[str, object], name: str, *, where: str) -> Decimal:
    """An amount with its sign; 0 where there is none."""
    if fields.get(name) in (None, ""):
        return ZERO
    return number_of(fields, name, where=where, minimum=None)


def _booked_at(fields: Mapping[str, object], activity_id: str, *, where: str) -> datetime:
    """When it was booked. The venue names the day; the time stands in the id (`20260130143000123::…`), or nowhere."""
    told = optional_text(fields, "created_at")
    if told is not None:
        return iso_time(told, where=where)
    day = iso_time(text_of(fields, "date", where=where)[:10], where=where)
    stamp = activity_id.partition("::")[0]
    if len(stamp) < 14 or not stamp.isascii() or not stamp.isdigit():
        return day
    try:
        noted = datetime.strptime(stamp[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return day
    # Some ids carry a midnight, or a time before the day they are about.
    return max(day, noted)


def _detail(fields: Mapping[str, object], word: str) -> str:
    described = optional_text(fields, "description")
    return word if described is None else f"{word} {described}"[:200]
