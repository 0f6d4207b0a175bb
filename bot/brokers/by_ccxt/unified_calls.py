"""The way to the wire for one account's ccxt exchange object: bounded, counted, sent once, every answer judged.

ccxt calls `Wire.fetch` with a finished request wherever it would have used its own HTTP client. What may happen on the
wire during one unified call stands in its `Errand`: a reading may ask several things; an order may leave once.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlsplit

from bot.brokers.by_ccxt.meanings import page_error
from bot.brokers.by_ccxt.unified_errors import cancel_error, is_of_ccxt, order_error, reading_error
from bot.brokers.by_ccxt.unified_exchange import Exchange
from bot.brokers.http_session import MAX_BODY_BYTES, MEBIBYTE, CallLimits, HttpReply, RequestNotSent, VenueSession
from bot.brokers.rate_budget import RateBudget
from bot.brokers.replies import as_list, decode_json
from bot.brokers.venue_calls import RATE_WAIT_SECONDS, VenueCall, VenueCalls
from bot.brokers.venue_clock import VenueClock
from bot.brokers.venue_gate import Passage, Trouble
from bot.domain.errors import (
    CredentialsRejected,
    NijaError,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import no_last_look
from bot.seams.clock import Clock

log = logging.getLogger(__name__)
T = TypeVar("T")
MAX_LIST_BYTES = 32 * MEBIBYTE
LIST_CALL_LIMITS = 4
READS = frozenset({"GET", "HEAD"})
JSON_HEADERS = {"Content-Type": "application/json"}
UNAUTHORIZED = 401
KEY_REFUSED = "AuthenticationError"
TOO_MANY = frozenset({"RateLimitExceeded", "DDoSProtection"})


class Rehearsed(Exception):
    """The request was made, looked at, and not sent."""


@dataclass(kw_only=True)
class Errand:
    """What one unified call is about, and what has become of it on the wire.

    The request that changes orders is known by `mark`, a text that only it carries; without one it is the first that
    is no GET. It has to carry each of `amounts`, or it is not sent. A `rehearsal` sends nothing at all.
    """

    name: str
    is_list: bool = False
    changes_orders: bool = False
    is_cancel: bool = False
    mark: str = ""
    amounts: Sequence[str] = ()
    leave_before: float | None = None
    last_look: Callable[[], None] = field(default=no_last_look, repr=False)
    rehearsal: bool = False
    request: str = field(default="", repr=False)
    sent: bool = False
    status: int = 0
    document: object = field(default=None, repr=False)
    failure: VenueError | None = None

    def is_the_one(self, method: str, request: str) -> bool:
        """Whether this is the request that changes orders."""
        if not self.changes_orders:
            return False
        return self.mark in request if self.mark else method not in READS


class Wire:
    """One account's. `exchange` is given once it is made, for it is made with `fetch`."""

    exchange: Exchange

    def __init__(
        self,
        *,
        venue: str,
        label: str,
        session: VenueSession,
        limits: CallLimits,
        way: VenueCalls,
        clock: Clock,
        venue_clock: VenueClock,
        budgets: Sequence[RateBudget],
    ) -> None:
        self.venue = venue
        self.label = label
        self.clock = clock
        self._session = session
        self._limits = limits
        self._way = way
        self._venue_clock = venue_clock
        self._budgets = budgets
        self._errand = Errand(name="nothing")

    def where(self, name: str) -> str:
        return f"{self.label}: {self.venue} {name}"

    # -- errands ----------------------------------------------------------------------------------------------------
    def read(self, name: str, ask: Callable[[Exchange], T], *, is_list: bool = False, keyless: bool = False) -> T:
        """A unified call that changes nothing. Raises what readings raise, each with ccxt's class as its code."""
        errand = Errand(name=name, is_list=is_list)

        def work() -> T:
            return self._run(errand, ask, lambda error: reading_error(error, where=self.where(name)))

        return work() if keyless else self._way.heeding_refusals(work)

    def read_all(self, name: str, ask: Callable[[Exchange], T], *, empty: Callable[[T], bool]) -> T:
        """A unified call for a whole: a list, or all balances. ccxt makes an empty one of an answer without any, too.

        Raises `UnreadableReply` as well when it is empty and nothing in the last answer says so.
        """
        documents: list[object] = []

        def asked(one: Exchange) -> T:
            try:
                return ask(one)
            finally:
                documents.append(self._errand.document)

        answer = self.read(name, asked)
        if empty(answer) and not says_nothing(documents[-1]):
            raise UnreadableReply(f"{self.where(name)}: an answer without a list is no empty list")
        return answer

    def read_list(self, name: str, ask: Callable[[Exchange], object]) -> Sequence[object]:
        """A unified call that lists something."""
        return as_list(self.read_all(name, ask, empty=lambda rows: not rows), where=self.where(name))

    def change(self, errand: Errand, ask: Callable[[Exchange], T]) -> T:
        """A unified call that changes orders. Raises also `OrderRefused` and `OutcomeUnknown`."""
        where = self.where(errand.name)

        def judge(error: Exception) -> VenueError:
            if errand.is_cancel:
                return cancel_error(error, where=where, sent=errand.sent)
            return order_error(error, where=where, sent=errand.sent, status=errand.status)

        return self._way.heeding_refusals(lambda: self._run(errand, ask, judge))

    def rehearse(self, name: str, ask: Callable[[Exchange], object]) -> str:
        """The request, as text, that ccxt would send first; "" when it would make none. Nothing is sent."""
        self._errand = errand = Errand(name=name, rehearsal=True)
        try:
            ask(self.exchange)
        except Exception as error:  # noqa: BLE001 - whatever it was, no request was made of it
            if not errand.request:
                log.debug("%s: no request: %s", self.where(name), type(error).__name__)
        finally:
            self._errand = Errand(name="nothing")
        return errand.request

    def _run(self, errand: Errand, ask: Callable[[Exchange], T], judge: Callable[[Exception], VenueError]) -> T:
        self._errand = errand
        try:
            answer = ask(self.exchange)
        except NijaError:
            raise
        except Exception as error:
            raise self._judged(errand, error, judge) from error
        finally:
            self._errand = Errand(name="nothing")
        if errand.failure is not None:  # ccxt has gone on in spite of it
            raise errand.failure
        return answer

    def _judged(self, errand: Errand, error: Exception, judge: Callable[[Exception], VenueError]) -> VenueError:
        """An order's own failure on the wire stands; of a reading or a cancel ccxt may know more than the wire."""
        if errand.failure is not None and not (errand.is_cancel and is_of_ccxt(error)):
            return errand.failure
        if is_of_ccxt(error):
            return judge(error)
        text = f"{self.where(errand.name)}: the answer cannot be read ({type(error).__name__})"
        if errand.changes_orders and errand.sent:
            return OutcomeUnknown(text)
        return OrderRefused(f"not sent: {text}") if errand.changes_orders else UnreadableReply(text)

    # -- the wire ---------------------------------------------------------------------------------------------------
    def fetch(
        self, url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: object = None
    ) -> object:
        """ccxt's door to the network: the document that answers. Raises ours for the wire's failures, ccxt's else."""
        errand = self._errand
        text = "" if body is None else body if isinstance(body, str) else str(body)
        if errand.rehearsal:
            errand.request = f"{method} {url} {text}"
            raise Rehearsed
        changes = errand.is_the_one(method, f"{url} {text}")
        if changes:
            self._check_order(errand, f"{url} {text}")
        call = self._call(errand, method, url, changes=changes)
        try:
            return self._way.make(
                call,
                lambda: self._send(errand, call, method, url, headers or {}, text),
                lambda reply, passage: self._heard(reply, passage, errand, method, url, headers or {}, text, changes),
            )
        except VenueError as error:
            errand.failure = error
            raise

    def _check_order(self, errand: Errand, request: str) -> None:
        if errand.sent:
            raise OutcomeUnknown(f"{self.where(errand.name)}: ccxt would send it twice; it was sent once")
        missing = [amount for amount in errand.amounts if amount not in request]
        if missing:
            raise OrderRefused(
                f"not sent: {self.where(errand.name)}: ccxt would send another number than {', '.join(missing)}"
            )

    def _call(self, errand: Errand, method: str, url: str, *, changes: bool) -> VenueCall:
        within = RATE_WAIT_SECONDS
        if changes and errand.leave_before is not None:
            within = max(0.0, min(within, errand.leave_before - self.clock.monotonic()))
        return VenueCall(
            where=self.where(errand.name),
            verb=method,
            endpoint=f"{errand.name} {urlsplit(url).path.rpartition('/')[2]}",
            costs=[(budget, 1.0) for budget in self._budgets],
            changes_orders=changes,
            within_seconds=within,
            last_look=errand.last_look if changes else no_last_look,
        )

    def _send(
        self, errand: Errand, call: VenueCall, method: str, url: str, headers: Mapping[str, str], text: str
    ) -> HttpReply:
        if call.changes_orders:
            if errand.leave_before is not None and self.clock.monotonic() > errand.leave_before:
                raise RetryLater(f"{call.where}: not sent: its time was over before it could leave")
            errand.sent = True
        try:
            return self._session.exchange(
                method,
                url,
                data=text.encode() or None,
                headers={name: str(value) for name, value in headers.items()},
                call_seconds=self._limits.call_seconds * LIST_CALL_LIMITS if errand.is_list else None,
                max_body_bytes=MAX_LIST_BYTES if errand.is_list else MAX_BODY_BYTES,
            )
        except RequestNotSent:
            errand.sent = errand.sent and not call.changes_orders
            raise

    # -- answers ----------------------------------------------------------------------------------------------------
    def _heard(
        self,
        reply: HttpReply,
        passage: Passage,
        errand: Errand,
        method: str,
        url: str,
        headers: Mapping[str, str],
        text: str,
        changes: bool,
    ) -> object:
        """The API's document, if that is what came and ccxt finds no "no" in it."""
        where, good = self.where(errand.name), 200 <= reply.status < 300
        errand.status = max(errand.status, reply.status)
        try:
            document = plain_numbers(decode_json(reply.body, where=where))
        except UnreadableReply as error:
            self._met_a_stranger(reply, passage)
            if reply.status == UNAUTHORIZED and not changes:
                raise CredentialsRejected(f"{where}: HTTP 401", venue_code=KEY_REFUSED) from error
            if good:
                raise OutcomeUnknown(str(error)) if changes else error from error
            raise page_error(reply, where=where, changes_orders=changes) from error
        if not isinstance(document, dict | list) or document == {}:
            self._met_a_stranger(reply, passage)
            raise page_error(reply, where=where, changes_orders=changes)
        answer = reply.body.decode()
        self.exchange.last_http_response = "" if errand.is_list else answer
        try:
            # Some exchanges' classes look into the headers, and find none here that matter.
            handled = self.exchange.handle_errors(
                reply.status, "", url, method, JSON_HEADERS, answer, document, dict(headers), text
            )
            if not good and not handled:
                self.exchange.handle_http_status_code(reply.status, "", url, method, answer[:300])
        except Exception as error:
            self._refused(error, reply, passage)
            if changes or not is_of_ccxt(error):
                raise
            raise reading_error(error, where=where, retry_after_seconds=reply.retry_after_seconds) from error
        if not good:
            passage.refused_by_status(reply, from_api=True)
            raise page_error(reply, where=where, changes_orders=changes)
        passage.answered()
        errand.document = document
        return document

    @staticmethod
    def _met_a_stranger(reply: HttpReply, passage: Passage) -> None:
        """Something that is not the API: something in front of it, most likely."""
        if 200 <= reply.status < 300:
            passage.met(Trouble.SERVER_ERROR, "an answer that is not the API's")
        else:
            passage.refused_by_status(reply, from_api=False)

    def _refused(self, error: Exception, reply: HttpReply, passage: Passage) -> None:
        """What a refusal says of the exchange as a whole and of the clock."""
        families = {kind.__name__ for kind in type(error).__mro__}
        if "InvalidNonce" in families:
            self._venue_clock.doubt()
        if families & TOO_MANY:
            for budget in self._budgets:
                budget.refused(reply.retry_after_seconds)
        if "OnMaintenance" in families:
            passage.met(Trouble.MAINTENANCE, f"HTTP {reply.status}")
        elif 200 <= reply.status < 300:
            passage.answered()
        else:
            passage.refused_by_status(reply, from_api=True)


def plain_numbers(document: object) -> object:
    """The same with every fraction as plain text: ccxt takes numbers as text, or as floats, which lose digits."""
    if isinstance(document, dict):
        return {name: plain_numbers(value) for name, value in document.items()}
    if isinstance(document, list):
        return [plain_numbers(value) for value in document]
    if isinstance(document, str) and document.isdecimal() and not document.isascii():
        raise UnreadableReply(f"{document[:20]!a} has digits of another script, which ccxt would read")
    return format(document, "f") if isinstance(document, Decimal) else document


def says_nothing(document: object) -> bool:
    """Whether an answer shows an empty list (or object) where one is kept, and not only that there was no error."""
    if isinstance(document, list):
        return not document or any(says_nothing(item) for item in document)
    if not isinstance(document, dict):
        return False
    told = [value for name, value in document.items() if "err" not in name.lower()]
    return any(value in ([], {}) or says_nothing(value) for value in told if isinstance(value, dict | list))
