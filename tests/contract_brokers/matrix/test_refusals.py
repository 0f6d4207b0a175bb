"""C40–C46: an order is refused only on a word that proves that it does not exist."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import InsufficientFunds, OrderRefused, OutcomeUnknown, VenueError
from bot.domain.order import OrderRequest, OrderType
from tests.contract_brokers.matrix.orders import accepted, market_order, resting_order
from tests.contract_brokers.matrix.rigs import NO_ANSWERS, RIGS, Rig
from tests.contract_brokers.orders import an_order, now
from tests.exchange_process import ExchangeProcess

D = Decimal
AGAINST_THE_RULES: Mapping[str, Callable[[Rig], OrderRequest]] = {
    "below the minimum": lambda rig: an_order(quantity=rig.too_small, symbol=rig.symbol),
    "off the tick": lambda rig: an_order(
        quantity=rig.resting_quantity, price=D(rig.off_tick), order_type=OrderType.LIMIT_GTC, symbol=rig.symbol
    ),
    "off the lot": lambda rig: an_order(quantity=rig.off_lot, symbol=rig.symbol),
    "unlisted": lambda rig: an_order(quantity=rig.quantity, symbol="NOSUCH/USD"),
}


def rigs_with(words: Callable[[Rig], object]) -> list[object]:
    """Each brokerage with each of its words."""
    return [
        pytest.param(rig, word, id=f"{rig.name}-{number}")
        for rig in RIGS.values()
        for number, word in enumerate(words(rig))  # type: ignore[var-annotated,arg-type]
    ]


def test_c40_an_order_that_cannot_be_paid_is_refused_for_want_of_funds(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen = exchange.last_seq()
    request = an_order(quantity=rig.too_much, symbol=rig.symbol)
    with pytest.raises(InsufficientFunds):
        broker.place_order(request)
    assert accepted(exchange, rig, seen, request) == []
    assert broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=now()) is None


@pytest.mark.parametrize("rule", AGAINST_THE_RULES)
def test_c41_an_order_against_the_rules_of_its_market_is_refused(
    broker: BaseBroker, exchange: ExchangeProcess, rig: Rig, rule: str
) -> None:
    seen, request = exchange.last_seq(), AGAINST_THE_RULES[rule](rig)
    with pytest.raises(OrderRefused):
        broker.place_order(request)
    assert accepted(exchange, rig, seen, request) == []


@pytest.mark.parametrize("client_order_id", ["", "x" * 300, "with space", "ünï"])
def test_c42_an_id_that_the_brokerage_does_not_take_is_known_before_it_is_sent(
    broker: BaseBroker, client_order_id: str, rig: Rig
) -> None:
    refusal = broker.capabilities.refusal_of(market_order(rig, client_order_id=client_order_id or "\t"))
    assert "client order id" in refusal


@pytest.mark.parametrize(("rig", "text"), rigs_with(lambda rig: rig.words))
def test_c43_each_of_the_venues_words_means_what_it_proves(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess, rig: Rig, text: str
) -> None:
    exchange.fault({"kind": "api_error", "text": text}, account=account.user_id, endpoint=rig.endpoints.place)
    with pytest.raises(VenueError) as raised:
        broker.place_order(market_order(rig))
    assert type(raised.value) is rig.words[text], raised.value


def test_c44_an_answer_that_says_neither_yes_nor_no_leaves_the_outcome_unknown(
    tireless: BaseBroker, account: AccountRef, exchange: ExchangeProcess, rig: Rig
) -> None:
    for reply in (*NO_ANSWERS, *rig.acceptances):
        seen, sent_at, request = exchange.last_seq(), now(), market_order(rig)
        exchange.fault({"kind": "body", "text": reply or " "}, account=account.user_id, endpoint=rig.endpoints.place)
        with pytest.raises(OutcomeUnknown):
            tireless.place_order(request)
        (order_id,) = accepted(exchange, rig, seen, request)
        found = tireless.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
        assert found is not None and found.venue_order_id == order_id, reply


def test_c45_an_acceptance_with_holes_that_still_names_the_order_is_an_acceptance(
    broker: BaseBroker, account: AccountRef, exchange: ExchangeProcess, rig: Rig
) -> None:
    """Coinbase answers now and then with `order_configuration` null; elsewhere the fault leaves the answer whole."""
    exchange.fault("null_configuration", account=account.user_id, endpoint=rig.endpoints.place)
    sent_at, request = now(), market_order(rig)
    ack = broker.place_order(request)
    found = broker.find_order(request.client_order_id, symbol=rig.symbol, sent_at=sent_at)
    assert found is not None and found.venue_order_id == ack.venue_order_id


def test_c46_what_a_resting_order_holds_cannot_be_spent_twice(broker: BaseBroker, rig: Rig) -> None:
    resting = resting_order(rig, broker)
    assert resting.limit_price is not None
    step = broker.get_trading_pairs()[rig.symbol].floor_quantity
    most = step(D(9000) / resting.limit_price)
    broker.place_order(
        an_order(quantity=f"{most:f}", price=resting.limit_price, order_type=OrderType.LIMIT_GTC, symbol=rig.symbol)
    )
    with pytest.raises(InsufficientFunds):
        broker.place_order(
            an_order(
                quantity=f"{step(most / 2):f}",
                price=resting.limit_price,
                order_type=OrderType.LIMIT_GTC,
                symbol=rig.symbol,
            )
        )
