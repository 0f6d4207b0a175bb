"""From an account and the settings to its broker."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.broker_manager import BROKER_CLASSES, CoinbaseBroker, KrakenBroker, SharedParts, build_broker, shared_parts
from bot.brokers.credentials import Credentials
from bot.brokers.venue_access import VenueAccess
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.errors import ConfigurationError
from bot.seams.clock import SystemClock
from bot.settings import Settings, load_settings
from bot.settings.loading import PROJECT_DIR


def settings_with(tmp_path: Path, **overrides: str) -> Settings:
    (tmp_path / "config").mkdir(exist_ok=True)
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings(environ={}, config_dir=tmp_path / "config", overrides=named)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedParts]:
    parts = shared_parts(settings_with(tmp_path), SystemClock())
    yield parts
    parts.close()


def access() -> VenueAccess:
    secret = SecretStr("c2VjcmV0")
    return VenueAccess(
        base_url="http://127.0.0.1:1",
        credentials=Credentials(api_key="key", api_secret=secret, api_passphrase=secret),
        mode="paper",
    )


@pytest.mark.parametrize("broker_type", BROKER_CLASSES)
def test_each_brokerage_has_its_class_with_books_of_its_own(
    tmp_path: Path, shared: SharedParts, broker_type: BrokerType
) -> None:
    settings = settings_with(tmp_path)
    made = [
        build_broker(account, access(), settings=settings, shared=shared)
        for account in (AccountRef.master(broker_type), AccountRef.user(broker_type, "daivon_frazier"))
    ]
    assert all(type(broker) is BROKER_CLASSES[broker_type] for broker in made)
    assert [broker.account_type for broker in made] == [AccountType.MASTER, AccountType.USER]
    assert made[0].balance_book is not made[1].balance_book
    for broker in made:
        broker.close()
        broker.close()


def test_every_brokerage_has_a_class_and_only_those_in_use_load_their_library(tmp_path: Path) -> None:
    assert set(BROKER_CLASSES) == set(BrokerType)
    program = (
        "import sys; import bot.app, bot.diagnostics.commands; from bot.broker_manager import OKXBroker, AlpacaBroker; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'ccxt', 'alpaca', 'coinbase', 'pandas'}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT_DIR, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout == "[]\n"


def test_nonce_files_lie_in_the_state_directory_under_their_fixed_names(tmp_path: Path, shared: SharedParts) -> None:
    settings = settings_with(tmp_path, state_dir="state")
    names = []
    for account in (AccountRef.master(BrokerType.KRAKEN), AccountRef.user(BrokerType.KRAKEN, "tania_gilbert")):
        broker = build_broker(account, access(), settings=settings, shared=shared)
        assert isinstance(broker, KrakenBroker)
        names.append(broker.nonces.path.relative_to(tmp_path))
        broker.close()
    assert names == [Path("state/kraken_nonce_master.txt"), Path("state/kraken_nonce_user_tania_gilbert.txt")]


def test_the_setting_decides_whether_keys_share_the_lock(tmp_path: Path) -> None:
    for value, alike in (("global", True), ("per_key", False)):
        parts = shared_parts(settings_with(tmp_path, kraken__private_call_lock=value), SystemClock())
        assert (parts.kraken_locks.for_key("a") is parts.kraken_locks.for_key("b")) == alike
        parts.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kraken.order_deadline_seconds", "4.9"),
        ("kraken.order_deadline_seconds", "61"),
        ("kraken.settle_margin_seconds", "0"),
        ("coinbase.order_deadline_seconds", "14"),
        ("coinbase.order_deadline_seconds", "121"),
        ("coinbase.settle_margin_seconds", "0"),
        ("okx.order_deadline_seconds", "1"),
        ("okx.order_deadline_seconds", "26"),
        ("okx.settle_margin_seconds", "0"),
        ("binance.order_deadline_seconds", "0"),
        ("binance.order_deadline_seconds", "61"),
        ("binance.settle_margin_seconds", "0"),
        ("alpaca.order_deadline_seconds", "0"),
        ("alpaca.settle_margin_seconds", "0"),
    ],
)
def test_a_deadline_the_venue_would_not_take_is_refused_by_the_settings_name(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings_with(tmp_path, **{name.replace(".", "__"): value})


@pytest.mark.parametrize(
    ("broker", "margin"),
    [
        (BrokerType.KRAKEN, "59"),
        (BrokerType.COINBASE, "9"),
        (BrokerType.OKX, "9"),
        (BrokerType.BINANCE, "11"),
        (BrokerType.ALPACA, "109"),
    ],
)
def test_with_real_money_nobody_waits_less_than_the_venue_has_been_seen_to_need(
    tmp_path: Path, shared: SharedParts, broker: BrokerType, margin: str
) -> None:
    settings = settings_with(tmp_path, **{f"{broker}__settle_margin_seconds": margin})
    build_broker(AccountRef.master(broker), access(), settings=settings, shared=shared).close()
    real = replace(access(), mode="live", base_url="https://venue.invalid")
    with pytest.raises(ConfigurationError, match="settle_margin_seconds"):
        build_broker(AccountRef.master(broker), real, settings=settings, shared=shared)


def test_each_broker_tells_the_core_how_long_an_order_may_still_turn_up(tmp_path: Path, shared: SharedParts) -> None:
    """Kraken: as long on the wire as before it, then its readings' lag. The others: the deadline, then the lag."""
    settings = settings_with(tmp_path)
    expected = {
        BrokerType.KRAKEN: (8.0, 76.0, False),
        BrokerType.COINBASE: (120.0, 130.0, True),
        BrokerType.OKX: (8.0, 23.0, False),
        BrokerType.BINANCE: (8.0, 23.0, False),
        BrokerType.ALPACA: (None, 125.0, True),
    }
    for broker_type, told in expected.items():
        broker = build_broker(AccountRef.master(broker_type), access(), settings=settings, shared=shared)
        assert (broker.order_expiry_seconds, broker.settle_seconds, broker.client_ids_are_forever) == told
        broker.close()


def test_a_broker_is_named_by_its_account_type_and_user() -> None:
    with pytest.raises(ValueError, match="user_id"):
        KrakenBroker(account_type=AccountType.USER)
    with pytest.raises(ValueError, match="user_id"):
        CoinbaseBroker(account_type=AccountType.MASTER, user_id="x")
