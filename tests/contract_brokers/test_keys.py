"""What a key must be before its account trades, judged by what both venues really say of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.brokers.base import BaseBroker
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import CredentialsRejected, KeyUnfit
from bot.domain.fill import Fill
from bot.domain.order import Side
from bot.key_checks import KeyChecks
from bot.seams.clock import SystemClock
from bot.storage import accounts, fills, identities, migrations
from bot.storage.store import Store, sqlite_url
from tests.contract_brokers.conftest import Wiring
from tests.contract_brokers.orders import an_order
from tests.exchange_process import ExchangeProcess

WITHDRAW = {
    BrokerType.KRAKEN: ["withdraw-funds", "add-withdraw-address", "update-withdraw-address"],
    BrokerType.COINBASE: ["transfer"],
}
TRADE = {
    BrokerType.KRAKEN: ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"],
    BrokerType.COINBASE: ["view", "trade"],
}
CHANGED = "the API key was changed, and no order of this account proves that the new one opens the same account"


class Bench:
    """Checks over a store of their own; `says` is what the operator was warned of."""

    def __init__(self, store: Store, wiring: Wiring) -> None:
        self.store, self.wiring = store, wiring
        self.accounts: list[AccountRef] = []
        self.says: dict[AccountRef, str] = {}

    def know(self, *refs: AccountRef) -> None:
        self.accounts += refs
        for ref in refs:
            self.store.write(
                lambda connection, ref=ref: accounts.remember_account(  # type: ignore[misc]
                    connection, ref, name=ref.label, enabled=True, now=datetime.now(UTC)
                )
            )

    def check(self, broker: BaseBroker, *, allow: bool = False) -> str:
        """As at a connection; what the operator is warned of."""
        checks = KeyChecks(
            store=self.store,
            clock=SystemClock(),
            allow_withdraw_keys=allow,
            accounts=self.accounts,
            warn=self.says.__setitem__,
        )
        broker.connect()
        broker.get_trading_pairs()
        checks.check(broker)
        return self.says[broker.account]

    def with_new_key(self, account: AccountRef) -> BaseBroker:
        path = f"/accounts/{account.broker}/{account.venue_account_name}/key"
        self.wiring.exchange.control("POST", path, {})
        return self.wiring.broker(account)

    def with_key_of(self, account: AccountRef, other: AccountRef) -> BaseBroker:
        access = self.wiring.access(other)
        same = VenueAccess(base_url=access.base_url, credentials=access.credentials, mode="paper")
        return self.wiring.broker(account, access=same)

    def trade(self, broker: BaseBroker) -> str:
        """A real order whose trade is booked; the venue's id of it."""
        placed, now = broker.place_order(an_order()), datetime.now(UTC)
        fill = Fill(
            trade_id=f"trade of {placed.venue_order_id}",
            venue_order_id=placed.venue_order_id,
            symbol="BTC/USD",
            side=Side.BUY,
            quantity=Decimal("0.001"),
            price=Decimal(50000),
            fee=Decimal(0),
            fee_currency="USD",
            executed_at=now,
        )
        self.store.write(
            lambda connection: fills.add_fill(connection, broker.account, fill, client_order_id=None, now=now)
        )
        return placed.venue_order_id

    def pinned(self, account: AccountRef) -> str | None:
        with self.store.read() as connection:
            found = identities.pin_of(connection, account.label)
        return None if found is None else found.identity


@pytest.fixture
def empty_bench(wiring: Wiring, tmp_path: Path) -> Iterator[Bench]:
    url = sqlite_url(tmp_path / "nija.db")
    migrations.upgrade(url)
    store = Store(url)
    store.start()
    yield Bench(store, wiring)
    store.close()


@pytest.fixture
def bench(empty_bench: Bench, account: AccountRef) -> Bench:
    empty_bench.know(account)
    return empty_bench


@pytest.fixture
def other(bench: Bench, account: AccountRef) -> AccountRef:
    made = AccountRef.user(account.broker, f"{account.user_id}_other")
    bench.know(made)
    return made


# -- rights -----------------------------------------------------------------------------------------------------------
def test_a_connected_broker_tells_what_its_venue_said_of_the_key(wiring: Wiring, account: AccountRef) -> None:
    broker = wiring.broker(account)
    assert broker.key_report is None
    broker.connect()
    assert broker.key_report is not None
    assert broker.key_report.withdraw_rights == ()
    assert broker.key_report.said_by.startswith(("GetApiKeyInfo lists 8 rights", "key_permissions says can_view"))


@pytest.mark.parametrize("missing", range(5))
def test_each_missing_right_is_named_in_the_venues_words(wiring: Wiring, account: AccountRef, missing: int) -> None:
    rights = TRADE[account.broker]
    if missing >= len(rights):
        pytest.skip("this venue has fewer rights")
    lacking = AccountRef.user(account.broker, f"{account.user_id}_{missing}")
    broker = wiring.broker(lacking, permissions=[*rights[:missing], *rights[missing + 1 :]])
    with pytest.raises(KeyUnfit, match=rights[missing]):
        broker.connect()
    assert not broker.connected


@pytest.mark.parametrize("which", range(3))
def test_a_key_that_can_withdraw_is_refused_unless_the_operator_allows_it_and_is_warned(
    bench: Bench, wiring: Wiring, account: AccountRef, which: int
) -> None:
    rights = WITHDRAW[account.broker]
    if which >= len(rights):
        pytest.skip("this venue has one such right")
    broker = wiring.broker(account, permissions=[*TRADE[account.broker], rights[which]])
    with pytest.raises(KeyUnfit, match=rf"money can be withdrawn with this API key \(\S*{rights[which]}\)"):
        bench.check(broker)
    assert bench.pinned(account) is None
    assert "MONEY CAN BE WITHDRAWN" in bench.check(broker, allow=True)


UNBOUND = {
    BrokerType.OKX: (
        "account/config",
        '{"code": "0", "msg": "", "data": [{"acctLv": "1", "perm": "read_only,trade", "uid": "1", "ip": ""}]}',
        "after 14 days without use",
    ),
    BrokerType.BINANCE: (
        "account/apiRestrictions",
        '{"ipRestrict": false, "enableReading": true, "enableSpotAndMarginTrading": true, "enableWithdrawals": false}',
        "takes its right to trade back",
    ),
}


@pytest.mark.parametrize("at", UNBOUND, ids=str)
def test_a_key_that_is_bound_to_no_address_trades_and_its_owner_is_told_what_becomes_of_it(
    empty_bench: Bench, wiring: Wiring, exchange: ExchangeProcess, at: BrokerType
) -> None:
    endpoint, answer, becomes = UNBOUND[at]
    account = AccountRef.user(at, "unbound")
    empty_bench.know(account)
    broker = wiring.broker(account)
    exchange.fault({"kind": "body", "text": answer}, account=account.user_id, endpoint=endpoint)
    said = empty_bench.check(broker)
    assert "bound to no address" in said
    assert becomes in said
    bound = AccountRef.user(at, "bound")
    empty_bench.know(bound)
    assert empty_bench.check(wiring.broker(bound)) == ""


# -- identity ---------------------------------------------------------------------------------------------------------
def test_the_first_use_pins_whose_account_it_is_and_the_same_key_is_good_for_ever(
    bench: Bench, wiring: Wiring, account: AccountRef
) -> None:
    broker = wiring.broker(account)
    assert bench.check(broker) == ""
    assert (pinned := bench.pinned(account))
    assert broker.key_report is not None and pinned == broker.key_report.identity
    assert bench.check(wiring.broker(account)) == ""


def test_a_key_that_opens_another_account_of_ours_is_refused_by_its_name(
    bench: Bench, wiring: Wiring, account: AccountRef, other: AccountRef
) -> None:
    bench.check(wiring.broker(other))
    with pytest.raises(KeyUnfit, match=f"this key opens the account of {other.label}"):
        bench.check(bench.with_key_of(account, other))


def test_a_new_key_of_the_same_account_is_taken_when_the_account_or_a_trade_of_it_proves_it(
    bench: Bench, wiring: Wiring, account: AccountRef
) -> None:
    broker = wiring.broker(account)
    bench.check(broker)
    bench.trade(broker)
    assert bench.check(bench.with_new_key(account)) == ""


def test_a_new_key_that_opens_a_strangers_account_is_refused_until_a_person_accepts_it(
    bench: Bench, wiring: Wiring, account: AccountRef
) -> None:
    broker = wiring.broker(account)
    bench.check(broker)
    was = bench.pinned(account)
    order = bench.trade(broker)
    stranger = bench.with_key_of(account, AccountRef.user(account.broker, f"{account.user_id}_stranger"))
    with pytest.raises(KeyUnfit) as refused:
        bench.check(stranger)
    named = f"does not show order {order}" if account.broker is BrokerType.KRAKEN else f"this account was {was} since"
    assert named in str(refused.value)
    assert f"python bot.py accounts accept-identity {account.label} --by" in str(refused.value)
    assert bench.pinned(account) == was
    bench.store.write(lambda connection: identities.unpin(connection, account.label, word="Anna: he moved"))
    assert bench.check(stranger) == ""
    assert bench.pinned(account) != was


def test_where_no_trade_can_prove_it_a_changed_key_is_taken_with_a_warning(
    bench: Bench, wiring: Wiring, account: AccountRef
) -> None:
    if account.broker is not BrokerType.KRAKEN:
        pytest.skip("this venue names its accounts")
    bench.check(wiring.broker(account))
    assert CHANGED in bench.check(bench.with_new_key(account))


def test_two_keys_of_one_account_are_noticed_by_its_orders(bench: Bench, wiring: Wiring, account: AccountRef) -> None:
    """As if a user had been given a second key of the master's account."""
    master = AccountRef.user(account.broker, f"{account.user_id}_first")
    bench.know(master)
    broker = wiring.broker(master)
    bench.check(broker)
    bench.trade(broker)
    bench.with_new_key(master)
    with pytest.raises(KeyUnfit, match=f"of {master.label}"):
        bench.check(bench.with_key_of(account, master))


@pytest.mark.parametrize("text", ["EAuth:Account temporary disabled", "EAuth:Account unconfirmed", "EAuth:Failed"])
def test_an_account_that_its_venue_has_closed_is_refused_in_the_venues_words(
    bench: Bench, wiring: Wiring, account: AccountRef, text: str
) -> None:
    if account.broker is not BrokerType.KRAKEN:
        pytest.skip("this venue says no more than 401")
    broker = wiring.broker(account)
    where = {"brokerage": "kraken", "account": account.venue_account_name}
    wiring.exchange.fault({"kind": "api_error", "text": text}, times=None, **where)
    with pytest.raises(CredentialsRejected, match=text):
        bench.check(broker)
