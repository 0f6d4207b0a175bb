"""C01–C08: what a key must be, and what is said of one that is not."""

import dataclasses
from decimal import Decimal

import pytest
from pydantic import SecretStr

from bot.brokers.base import BaseBroker
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef
from bot.domain.errors import CredentialsRejected, KeyUnfit, RetryLater
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.matrix.orders import OF_A_READING, market_order
from tests.contract_brokers.matrix.rigs import Rig
from tests.exchange_process import ExchangeProcess

D = Decimal


def with_credentials(access: VenueAccess, **changed: object) -> VenueAccess:
    return dataclasses.replace(access, credentials=dataclasses.replace(access.credentials, **changed))  # type: ignore[arg-type]


def test_c01_connecting_proves_the_key_and_says_by_what(wiring: Wiring, account: AccountRef) -> None:
    broker = wiring.broker(account)
    assert not broker.connected
    assert broker.connect() is True
    assert broker.connected
    report = broker.key_report
    assert report is not None and report.said_by and report.identity
    assert report.withdraw_rights == ()


def test_c02_a_key_whose_secret_is_anothers_is_rejected_as_credentials(wiring: Wiring, account: AccountRef) -> None:
    stranger = wiring.access(AccountRef.user(account.broker, f"{account.user_id}x"))
    mixed = with_credentials(wiring.access(account), api_secret=stranger.credentials.api_secret)
    broker = wiring.broker(account, access=mixed)
    with pytest.raises(CredentialsRejected):
        broker.connect()
    assert not broker.connected


def test_c03_a_passphrase_that_is_anothers_is_rejected_as_credentials(
    wiring: Wiring, account: AccountRef, broker: BaseBroker
) -> None:
    if not broker.capabilities.passphrase:
        pytest.skip("keys have no passphrase here")
    wrong = with_credentials(wiring.access(account), api_passphrase=SecretStr("Another1!"))
    with pytest.raises(CredentialsRejected, match="passphrase"):
        wiring.broker(account, access=wrong).connect()


def test_c04_a_key_without_the_right_to_trade_is_refused_by_the_name_of_that_right(
    wiring: Wiring, account: AccountRef, rig: Rig
) -> None:
    if not rig.few_rights:
        pytest.skip("a key has no rights of its own here")
    broker = wiring.broker(account, permissions=list(rig.few_rights))
    with pytest.raises(KeyUnfit, match=rig.missing_right):
        broker.connect()
    assert not broker.connected


def test_c05_a_key_that_can_move_money_out_is_told_of(wiring: Wiring, account: AccountRef, rig: Rig) -> None:
    broker = wiring.broker(account, permissions=[*rig.rights, *rig.withdraw_rights])
    broker.connect()
    assert broker.key_report is not None
    assert bool(broker.key_report.withdraw_rights) == broker.capabilities.withdraw_right_told


def test_c06_a_venue_that_is_not_there_is_asked_again_later(wiring: Wiring, account: AccountRef) -> None:
    nowhere = dataclasses.replace(wiring.access(account), base_url="http://127.0.0.1:1")
    with pytest.raises(RetryLater):
        wiring.broker(account, access=nowhere).connect()


def test_c07_a_key_that_was_replaced_is_noticed_and_then_left_in_peace(
    wiring: Wiring, account: AccountRef, broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    exchange.control("POST", f"/accounts/{rig.name}/{account.venue_account_name}/key")
    with pytest.raises(CredentialsRejected):
        broker.fetch_holdings()
    seen = exchange.last_seq()
    for _ in range(3):
        with pytest.raises(OF_A_READING):
            broker.fetch_holdings()
    asked = exchange.journal(seen, type="request", brokerage=rig.name, endpoint=rig.endpoints.balance)
    assert len(asked) <= 2, "a key that the venue refuses is not tried again and again"
    assert broker.key_refusal


def test_c08_a_closed_broker_sends_nothing_any_more(
    account: AccountRef, broker: BaseBroker, exchange: ExchangeProcess, rig: Rig
) -> None:
    seen = exchange.last_seq()
    broker.close()
    broker.close()
    with pytest.raises(RetryLater, match="closed"):
        broker.place_order(market_order(rig))
    assert exchange.journal(seen, type="request", account=account.venue_account_name) == []
