"""Whatever bytes come back: an order is accepted, refused in listed words or unknown; a reading is true or unreadable.

The replies that are spoiled here are the exchange's own, recorded once for each brokerage.
"""

import dataclasses
import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.brokers.base import BaseBroker
from bot.brokers.call_reaper import CallReaper
from bot.brokers.coinbase.errors import CLOSED, FUNDS, ORDER_STATUSES, REFUSED
from bot.brokers.kraken.errors import meaning_of
from bot.brokers.replies import decode_json
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import (
    CredentialsRejected,
    OrderRefused,
    OutcomeUnknown,
    RetryLater,
    UnreadableReply,
    VenueError,
)
from bot.domain.order import OrderAck, Side, VenueOrderStatus
from bot.seams.clock import SystemClock
from tests.contract_brokers.conftest import OpenGate, Wiring
from tests.contract_brokers.mutation import BYTE_CHANGES, VALUES, dropped, paths, renamed, replaced, spoiled, written
from tests.contract_brokers.orders import an_order
from tests.contract_brokers.raw_venue import Asked, RawVenue, Said
from tests.contract_brokers.recorded import CANCEL, Recorded, readings, record
from tests.exchange_process import ExchangeProcess

OF_A_READING = (UnreadableReply, RetryLater, CredentialsRejected)
IN_LISTED_WORDS = (OrderRefused, RetryLater, CredentialsRejected)
QUICK = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
KRAKEN_ERRORS = (
    "EOrder:Insufficient funds",
    "EOrder:Something new",
    "EService:Busy",
    "EService:Deadline elapsed",
    "EGeneral:Invalid arguments:volume",
    "EGeneral:Permission denied",
    "WOrder:Only a warning",
    "",
)
COINBASE_REASONS = ("INSUFFICIENT_FUND", "INVALID_SIZE_PRECISION", "ORDER_ENTRY_DISABLED", "NEW_REASON", "UNKNOWN", "")


class Stage:
    """A broker of one brokerage that talks to a venue of ours, and what the real exchange had said to its like."""

    def __init__(self, wiring: Wiring, broker_type: BrokerType) -> None:
        self.broker_type = broker_type
        self.recorded: Recorded = record(wiring, broker_type)
        self.venue = RawVenue()
        self.broker: BaseBroker = wiring.broker_at(self.venue.url, AccountRef.user(broker_type, "spoiled"))

    def answer_with(self, said: Mapping[str, Said]) -> None:
        """By path; what is not in it gets an empty 500."""
        self.venue.answer = lambda asked: said.get(asked.path, Said(status=500))

    def replay(self, name: str, path: str, said: Said) -> None:
        """The recorded replies of a reading, but for one."""
        replies = self.recorded.replies[name].items()
        self.answer_with({one: Said(written(document)) for one, document in replies} | {path: said})


@pytest.fixture(scope="module", params=[BrokerType.KRAKEN, BrokerType.COINBASE], ids=str)
def stage(
    request: pytest.FixtureRequest, exchange_process: ExchangeProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    clock = SystemClock()
    wiring = Wiring(exchange_process, tmp_path_factory.mktemp("recorded"), clock, CallReaper(clock), read_seconds=10)
    wiring.locks.for_key("any").hold_seconds = 10  # nothing hangs here but a busy machine
    wiring.gate = OpenGate(clock, "any")
    made = Stage(wiring, request.param)
    with made.venue:
        yield made
    wiring.close()


@pytest.fixture(autouse=True)
def key_that_is_taken(stage: Stage) -> None:
    """Replies of the test before may have refused the key twice in a row, after which nothing would be sent."""
    stage.broker._refused_key.accepted()  # type: ignore[attr-defined]


def order_replies(stage: Stage) -> st.SearchStrategy[object]:
    """The recorded acceptance, and refusals in words known and unknown."""
    if stage.broker_type is BrokerType.KRAKEN:
        texts = st.lists(st.sampled_from(KRAKEN_ERRORS), max_size=2)
        with_result = st.fixed_dictionaries({"error": texts}, optional={"result": st.just(result_of(stage))})
        return st.one_of(st.just(stage.recorded.acceptance), with_result)
    reasons = st.sampled_from(COINBASE_REASONS)
    response = st.fixed_dictionaries({}, optional={"error": reasons, "preview_failure_reason": reasons})
    refused = st.fixed_dictionaries({"success": st.just(False), "error_response": response})
    failed = st.fixed_dictionaries({"error": st.sampled_from(("INVALID_ARGUMENT", "NOT_FOUND", "unknown"))})
    return st.one_of(st.just(stage.recorded.acceptance), refused, failed)


def result_of(stage: Stage) -> object:
    return stage.recorded.acceptance["result"]


def check_outcome(stage: Stage, said: Said, outcome: object) -> None:
    """An acceptance and a "no" must be what the body really says."""
    if isinstance(outcome, OutcomeUnknown):
        return
    if type(outcome) is RetryLater and said.status == 429 and stage.broker_type is BrokerType.COINBASE:
        assert b"rate_limit_exceeded" in said.body
        return
    if said.status == 401:
        assert said.body.strip() == b"Unauthorized"
        return
    document = decode_json(plain_body(said), where="the test")
    assert isinstance(document, dict)
    check = check_kraken if stage.broker_type is BrokerType.KRAKEN else check_coinbase
    check(document, said, outcome, stage)


def plain_body(said: Said) -> bytes:
    return gzip.decompress(said.body) if said.headers.get("Content-Encoding") == "gzip" else said.body


def check_kraken(document: dict[str, Any], said: Said, outcome: object, _: Stage) -> None:
    assert said.status == 200
    errors = [text for text in document["error"] if not text.startswith("W")]
    if isinstance(outcome, OrderAck):
        assert errors == [] and document["result"]["txid"] == [outcome.venue_order_id]
        return
    assert isinstance(outcome, IN_LISTED_WORDS)
    assert errors and not document.get("result")
    assert all(meaning_of(text).order is not OutcomeUnknown for text in errors)
    assert type(outcome) in {meaning_of(text).order for text in errors}


def check_coinbase(document: dict[str, Any], said: Said, outcome: object, stage: Stage) -> None:
    if isinstance(outcome, OrderAck):
        named = document.get("success_response") or document
        assert 200 <= said.status < 300 and document["success"] is True
        assert named["order_id"] == outcome.venue_order_id
        assert named.get("client_order_id") in (None, stage.recorded.filled.client_order_id)
        return
    assert isinstance(outcome, IN_LISTED_WORDS)
    if said.status >= 300:
        assert type(outcome) is ORDER_STATUSES[said.status, document["error"]]
        return
    words = [word for word in document["error_response"].values() if isinstance(word, str)]
    assert document["success"] is False
    assert any(word.removeprefix("PREVIEW_") in FUNDS | CLOSED | REFUSED for word in words)
    assert "NEW_REASON" not in words


@QUICK
@given(data=st.data())
def test_after_an_order_was_sent_any_bytes_are_an_acceptance_a_listed_no_or_unknown(
    stage: Stage, data: st.DataObject
) -> None:
    said = data.draw(spoiled(order_replies(stage)))
    sent = len(stage.venue.asked)
    (path,) = stage.recorded.replies["place"]
    stage.answer_with({path: said})
    outcome: object
    try:
        outcome = stage.broker.place_order(stage.recorded.filled)
    except (OrderRefused, RetryLater, CredentialsRejected, OutcomeUnknown) as error:
        outcome = error
    assert len(stage.venue.asked) == sent + 1, "sent once, whatever came back"
    check_outcome(stage, said, outcome)


def test_what_the_exchange_really_says_to_an_order_is_understood(stage: Stage) -> None:
    (path,) = stage.recorded.replies["place"]
    stage.answer_with({path: Said(written(stage.recorded.acceptance))})
    assert stage.broker.place_order(stage.recorded.filled) == stage.recorded.filled_ack


def test_what_the_exchange_really_says_to_a_question_is_understood(stage: Stage) -> None:
    for name, read in readings(stage.recorded).items():
        stage.answer_with({path: Said(written(said)) for path, said in stage.recorded.replies[name].items()})
        assert read(stage.broker), name


def test_every_single_change_to_an_acceptance_leaves_it_as_it_was_or_the_order_unknown(stage: Stage) -> None:
    (path,) = stage.recorded.replies["place"]
    document = stage.recorded.acceptance
    changed = [change(document, place) for place in paths(document) for change in (dropped, renamed)]
    changed += [replaced(document, place, value) for place in paths(document) for value in VALUES]
    for reply in changed:
        said = Said(written(reply))
        stage.answer_with({path: said})
        try:
            outcome: object = stage.broker.place_order(stage.recorded.filled)
        except OutcomeUnknown:
            continue
        assert isinstance(outcome, OrderAck), reply
        check_outcome(stage, said, outcome)


@QUICK
@given(data=st.data())
def test_a_reading_of_any_bytes_is_sane_or_fails_as_a_reading(stage: Stage, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(readings(stage.recorded))))
    path = data.draw(st.sampled_from(sorted(stage.recorded.replies[name])))
    said = data.draw(spoiled(st.just(stage.recorded.replies[name][path])))
    stage.replay(name, path, said)
    try:
        value = readings(stage.recorded)[name](stage.broker)
    except OF_A_READING as error:
        assert not isinstance(error, OrderRefused)
        return
    assert_sane(value)


def assert_sane(value: object) -> None:
    """Every number exact, finite and not negative; every text one that can be written down."""
    if isinstance(value, Decimal):
        assert value.is_finite() and 0 <= value <= Decimal("1e15")
    elif isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            assert_sane(key)
            assert_sane(item)
    elif isinstance(value, list | tuple):
        for item in value:
            assert_sane(item)
    elif dataclasses.is_dataclass(value):
        assert_sane([getattr(value, field.name) for field in dataclasses.fields(value)])
    else:
        assert value is None or isinstance(value, bool | int | datetime | Side | VenueOrderStatus), value


def test_every_byte_change_to_every_reply_is_borne(stage: Stage) -> None:
    for name, read in readings(stage.recorded).items():
        for path, document in stage.recorded.replies[name].items():
            body = written(document)
            for change in BYTE_CHANGES[:-2]:
                for at in (0, 1, len(body) // 2):
                    stage.replay(name, path, change(body, at))
                    try:
                        assert_sane(read(stage.broker))
                    except OF_A_READING:
                        continue


def test_a_look_up_that_was_spoiled_never_says_that_there_is_no_such_order(stage: Stage) -> None:
    """Not found is a statement about the venue: no field missing, renamed or of another type may make it."""
    for path, document in stage.recorded.replies["find"].items():
        for place in paths(document):
            changes = [renamed(document, place)] + [replaced(document, place, value) for value in VALUES]
            for reply in [dropped(document, place), *changes] if isinstance(place[-1], str) else changes:
                if says_nothing(reply) or another_id(reply, place, stage):
                    continue
                stage.replay("find", path, Said(written(reply)))
                try:
                    found = readings(stage.recorded)["find"](stage.broker)
                except OF_A_READING:
                    continue
                assert found is not None or says_nothing(document), (path, place, reply)


def says_nothing(reply: Any) -> bool:
    """An empty list, as the venue itself would give it."""
    listed = reply.get("result", reply)
    lists = [listed.get(name) for name in ("open", "closed", "orders")] if isinstance(listed, dict) else []
    return any(one == {} or one == [] for one in lists)


def another_id(reply: Any, place: tuple[str | int, ...], stage: Stage) -> bool:
    """A well-formed list in which our order is truly not: another text stands where our id stood."""
    return stage.broker_type is BrokerType.COINBASE and place[-1] == "client_order_id"


CANCEL_REPLIES: Mapping[BrokerType, tuple[tuple[object, int, object], ...]] = {
    BrokerType.KRAKEN: (
        ({"error": [], "result": {"count": 1}}, 200, True),
        ({"error": [], "result": {"count": 1, "pending": True}}, 200, True),
        ({"error": [], "result": {"count": 0}}, 200, OutcomeUnknown),
        ({"error": [], "result": {"count": "many"}}, 200, OutcomeUnknown),
        ({"error": [], "result": {}}, 200, OutcomeUnknown),
        ({"error": [], "result": []}, 200, OutcomeUnknown),
        ({"error": []}, 200, OutcomeUnknown),
        ({"error": ["EOrder:Unknown order"]}, 200, False),
        ({"error": ["EOrder:Invalid order"]}, 200, False),
        ({"error": ["EOrder:Unknown ordering"]}, 200, OutcomeUnknown),
        ({"error": ["EOrder:Cancel pending"]}, 200, OutcomeUnknown),
        ({"error": ["EGeneral:Invalid arguments"]}, 200, OutcomeUnknown),
        ({"error": ["EService:Busy"]}, 200, OutcomeUnknown),
        ({"error": ["EAPI:Rate limit exceeded"]}, 200, RetryLater),
        ({"error": ["EGeneral:Permission denied"]}, 200, CredentialsRejected),
        ({"error": [], "result": {"count": 1}}, 502, OutcomeUnknown),
    ),
    BrokerType.COINBASE: (
        ({"results": [{"success": True, "order_id": "ID"}]}, 200, True),
        ({"results": [{"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "ID"}]}, 200, False),
        ({"results": [{"success": False, "failure_reason": "INVALID_CANCEL_REQUEST", "order_id": "ID"}]}, 200, False),
        ({"results": [{"success": False, "failure_reason": "DUPLICATE_CANCEL_REQUEST", "order_id": "ID"}]}, 200, True),
        ({"results": [{"success": False, "failure_reason": "NEW", "order_id": "ID"}]}, 200, OutcomeUnknown),
        ({"results": [{"success": "true", "order_id": "ID"}]}, 200, OutcomeUnknown),
        ({"results": [{"success": True, "order_id": "another"}]}, 200, OutcomeUnknown),
        ({"results": [{"success": True}]}, 200, OutcomeUnknown),
        ({"results": [{"success": True, "order_id": "ID"}] * 2}, 200, OutcomeUnknown),
        ({"results": []}, 200, OutcomeUnknown),
        ({"results": None}, 200, OutcomeUnknown),
        ({"error": "INVALID_ARGUMENT"}, 400, OutcomeUnknown),
        ({"errors": [{"id": "rate_limit_exceeded"}]}, 429, RetryLater),
        ({"error": "PERMISSION_DENIED"}, 403, CredentialsRejected),
        ({"results": [{"success": True, "order_id": "ID"}]}, 500, OutcomeUnknown),
    ),
}


def test_a_cancel_is_true_or_false_only_on_the_venues_word(stage: Stage) -> None:
    (path,) = stage.recorded.replies[CANCEL]
    order_id = stage.recorded.resting_ack.venue_order_id
    for document, status, expected in CANCEL_REPLIES[stage.broker_type]:
        body = json.dumps(document).replace('"ID"', json.dumps(order_id)).encode()
        stage.answer_with({path: Said(body, status)})
        if isinstance(expected, bool):
            assert stage.broker.cancel_order(order_id) is expected, document
            continue
        with pytest.raises(VenueError) as raised:
            stage.broker.cancel_order(order_id)
        assert type(raised.value) is expected, document


@QUICK
@given(data=st.data())
def test_any_bytes_after_a_cancel_are_the_venues_word_or_unknown(stage: Stage, data: st.DataObject) -> None:
    (path,) = stage.recorded.replies[CANCEL]
    said = data.draw(spoiled(st.just(stage.recorded.replies[CANCEL][path])))
    stage.answer_with({path: said})
    try:
        stage.broker.cancel_order(stage.recorded.resting_ack.venue_order_id)
    except (OutcomeUnknown, RetryLater, CredentialsRejected):
        return


def test_a_request_that_is_redirected_goes_nowhere_else(stage: Stage) -> None:
    """The signature and the order in it are for one host."""
    (path,) = stage.recorded.replies["place"]
    with RawVenue(lambda _: Said(written(stage.recorded.acceptance))) as elsewhere:
        moved = Said(b"x" * 100, 307, {"Location": f"{elsewhere.url}{path}"})
        stage.venue.answer = lambda _: moved
        with pytest.raises(OutcomeUnknown):
            stage.broker.place_order(an_order())
        with pytest.raises(OF_A_READING):
            stage.broker.fetch_holdings()
        assert elsewhere.asked == [] and elsewhere.connections == 0


@QUICK
@given(
    quantity=st.decimals(min_value="0.00000001", max_value="1e12", places=8),
    price=st.decimals(min_value="0.00000001", max_value="1e12", places=8),
    shift=st.integers(-3, 3),
)
def test_numbers_leave_as_plain_decimal_text_and_exactly(
    stage: Stage, quantity: Decimal, price: Decimal, shift: int
) -> None:
    (path,) = stage.recorded.replies["place"]
    stage.answer_with({path: Said(written(stage.recorded.acceptance))})
    # Also in forms whose own text has an exponent, as 1E+3 and 1E-8 have.
    price = price.normalize().scaleb(shift)
    request = dataclasses.replace(an_order(price=price), quantity=quantity.normalize())
    before = len(stage.venue.asked)
    try:
        stage.broker.place_order(request)
    except OutcomeUnknown as error:
        assert "not what was asked for" in str(error), "at Coinbase the answer names another client order id"
    assert len(stage.venue.asked) == before + 1
    sent = numbers_of(stage.venue.asked[-1])
    assert [Decimal(text) for text in sent] == [request.quantity, price]
    assert all(text.isascii() and text.replace(".", "", 1).isdigit() and text[-1] != "." for text in sent)


def numbers_of(asked: Asked) -> list[str]:
    """Quantity and price as they stood in the bytes that left."""
    if asked.name == "AddOrder":
        return [asked.form["volume"], asked.form["price"]]
    (sizes,) = json.loads(asked.body)["order_configuration"].values()
    assert isinstance(sizes["base_size"], str) and isinstance(sizes["limit_price"], str)
    return [sizes["base_size"], sizes["limit_price"]]


@pytest.mark.parametrize("price", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e-30"), Decimal("1e30"), 1.5])
def test_a_number_that_no_venue_reads_exactly_is_never_sent(stage: Stage, price: Any) -> None:
    sent = len(stage.venue.asked)
    request = an_order(price=Decimal(1))
    object.__setattr__(request, "limit_price", price)
    with pytest.raises(OrderRefused, match="not sent"):
        stage.broker.place_order(request)
    assert len(stage.venue.asked) == sent
