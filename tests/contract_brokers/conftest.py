"""Every broker against the real paper exchange, over real HTTP."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from bot.brokers.balance_book import BalanceBook
from bot.brokers.base import BaseBroker, Urgency
from bot.brokers.call_reaper import CallReaper
from bot.brokers.coinbase.broker import CoinbaseBroker
from bot.brokers.coinbase.context import CoinbaseContext
from bot.brokers.credentials import Credentials
from bot.brokers.http_session import CallLimits
from bot.brokers.kraken.broker import KrakenBroker
from bot.brokers.kraken.context import KrakenContext, nonce_path
from bot.brokers.kraken.keys import KrakenKeys
from bot.brokers.kraken.private_call_lock import PrivateCallLock, PrivateCallLocks
from bot.brokers.rate_budget import RateBudget, RateBudgets
from bot.brokers.shared_reading import SharedReading
from bot.brokers.venue_access import VenueAccess
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef, BrokerType
from bot.seams.clock import Clock, SystemClock
from bot.settings.venues import AlpacaSettings, BinanceSettings, OkxSettings
from tests.contract_brokers.matrix.rigs import RIGS
from tests.exchange_process import ExchangeProcess

if TYPE_CHECKING:
    from bot.brokers.by_ccxt.context import CcxtContext

# Short, so that a fault that hangs costs a test only a second.
HOLD_SECONDS = 1.0
# The lists of markets are long; one process of tests reads each once, as the bot does.
_catalogues: SharedReading[Any] = SharedReading(SystemClock())
_lists_of_markets: Sequence[SharedReading[Any]] = [SharedReading(SystemClock()) for _ in range(4)]


class OpenGate(VenueGate):
    """Stops nobody, whatever a venue says: for tests that ask a venue again and again right after its worst."""

    def _admit(self, urgency: Urgency, now: float) -> bool:
        return False


@dataclass
class Wiring:
    """Makes brokers that share what the accounts of one process share."""

    exchange: ExchangeProcess
    state_dir: Path
    clock: Clock
    reaper: CallReaper
    read_seconds: float = HOLD_SECONDS
    calls: list[tuple[str, str, float, str]] = field(default_factory=list)
    brokers: list[BaseBroker] = field(default_factory=list)
    gate: VenueGate | None = None
    public_budget: RateBudget | None = None
    key_budgets: RateBudgets | None = None

    def __post_init__(self) -> None:
        self.locks = PrivateCallLocks(
            lambda: PrivateCallLock(self.clock, hold_seconds=HOLD_SECONDS, parked_key_seconds=0.2), per_key=False
        )
        self.keys = KrakenKeys()
        self._makers: Mapping[BrokerType, Callable[[AccountRef, VenueAccess], BaseBroker]] = {
            BrokerType.KRAKEN: self._kraken,
            BrokerType.COINBASE: self._coinbase,
            BrokerType.OKX: self._okx,
            BrokerType.BINANCE: self._binance,
            BrokerType.ALPACA: self._alpaca,
        }
        self.catalogues = _catalogues
        self.instruments, self.okx_markets, self.binance_markets, self.stocks = _lists_of_markets

    def forget_markets(self) -> None:
        """As at the start of a process: the lists of markets are still to be read."""
        self.catalogues = SharedReading(self.clock)
        self.instruments, self.okx_markets, self.binance_markets, self.stocks = (
            SharedReading(self.clock) for _ in range(4)
        )

    def broker(
        self,
        account: AccountRef,
        *,
        balance: str = "10000",
        access: VenueAccess | None = None,
        **more: object,
    ) -> BaseBroker:
        access = access or self.access(account, balance=balance, **more)
        made = self._makers[account.broker](account, access)
        self.brokers.append(made)
        return made

    def markets_of(self, broker: BrokerType) -> SharedReading[Any]:
        """The list of its markets, which all its accounts share."""
        return {
            BrokerType.KRAKEN: self.catalogues,
            BrokerType.COINBASE: self.instruments,
            BrokerType.OKX: self.okx_markets,
            BrokerType.BINANCE: self.binance_markets,
            BrokerType.ALPACA: self.stocks,
        }[broker]

    def broker_at(self, url: str, account: AccountRef) -> BaseBroker:
        """A broker that talks to a venue of the test's own, with the markets of the exchange."""
        access = self.access(account)
        shared = self.markets_of(account.broker)
        self.broker(account, access=access).get_trading_pairs()
        known = shared.get(access.base_url, lambda: None)
        shared.get(url, lambda: known)
        return self.broker(account, access=VenueAccess(base_url=url, credentials=access.credentials, mode="paper"))

    def access(self, account: AccountRef, *, balance: str = "10000", **more: object) -> VenueAccess:
        rig = RIGS[account.broker]
        opened = self.exchange.open_account(rig.name, account.venue_account_name, rig.opening(balance), **more)
        credentials = Credentials(
            api_key=opened.api_key,
            api_secret=SecretStr(opened.api_secret),
            api_passphrase=SecretStr(opened.api_passphrase) if opened.api_passphrase else None,
        )
        return VenueAccess(base_url=self.exchange.rest_url(str(account.broker)), credentials=credentials, mode="paper")

    def _kraken(self, account: AccountRef, access: VenueAccess) -> KrakenBroker:
        context = KrakenContext(
            access=access,
            balance_book=BalanceBook(self.clock, cache_seconds=0.0),
            nonce_path=nonce_path(self.state_dir, account),
            keys=self.keys,
            locks=self.locks,
            catalogues=self.catalogues,
            reaper=self.reaper,
            gate=self.gate,
            public_budget=self.public_budget,
            clock=self.clock,
            limits=CallLimits(connect_seconds=1, read_seconds=self.read_seconds, call_seconds=5),
            lock_timeout_seconds=3,
            on_private_call=lambda *call: self.calls.append(call),
        )
        return KrakenBroker(account.account_type, account.user_id, context=context)

    def _coinbase(self, account: AccountRef, access: VenueAccess) -> CoinbaseBroker:
        context = CoinbaseContext(
            access=access,
            balance_book=BalanceBook(self.clock, cache_seconds=0.0),
            instruments=self.instruments,
            key_budgets=self.key_budgets,
            reaper=self.reaper,
            gate=self.gate,
            public_budget=self.public_budget,
            clock=self.clock,
            limits=CallLimits(connect_seconds=1, read_seconds=self.read_seconds, call_seconds=self.read_seconds),
            on_private_call=lambda *call: self.calls.append(call),
        )
        return CoinbaseBroker(account.account_type, account.user_id, context=context)

    def _okx(self, account: AccountRef, access: VenueAccess) -> BaseBroker:
        from bot.brokers.by_ccxt.broker import OKXBroker  # its library is a big one

        return OKXBroker(
            account.account_type, account.user_id, context=self._by_ccxt(access, self.okx_markets, OkxSettings())
        )

    def _binance(self, account: AccountRef, access: VenueAccess) -> BaseBroker:
        from bot.brokers.by_ccxt.broker import BinanceBroker

        return BinanceBroker(
            account.account_type,
            account.user_id,
            context=self._by_ccxt(access, self.binance_markets, BinanceSettings()),
        )

    def _by_ccxt(
        self, access: VenueAccess, markets: SharedReading[Any], settings: OkxSettings | BinanceSettings
    ) -> "CcxtContext":
        from bot.brokers.by_ccxt.context import CcxtContext

        return CcxtContext(
            access=access,
            balance_book=BalanceBook(self.clock, cache_seconds=0.0),
            instruments=markets,
            key_budgets=self.key_budgets,
            reaper=self.reaper,
            gate=self.gate,
            public_budget=self.public_budget,
            clock=self.clock,
            limits=CallLimits(connect_seconds=1, read_seconds=self.read_seconds, call_seconds=self.read_seconds),
            on_private_call=lambda *call: self.calls.append(call),
            order_deadline_seconds=settings.order_deadline_seconds,
            settle_margin_seconds=settings.settle_margin_seconds,
            quote_currency=settings.quote_currency,
        )

    def _alpaca(self, account: AccountRef, access: VenueAccess) -> BaseBroker:
        from bot.brokers.alpaca.broker import AlpacaBroker
        from bot.brokers.alpaca.context import AlpacaContext
        from bot.brokers.alpaca.hours import MarketHours

        settings = AlpacaSettings()
        context = AlpacaContext(
            access=access,
            balance_book=BalanceBook(self.clock, cache_seconds=0.0),
            instruments=self.stocks,
            key_budgets=self.key_budgets,
            reaper=self.reaper,
            gate=self.gate,
            public_budget=self.public_budget,
            clock=self.clock,
            limits=CallLimits(connect_seconds=1, read_seconds=self.read_seconds, call_seconds=self.read_seconds),
            on_private_call=lambda *call: self.calls.append(call),
            order_deadline_seconds=settings.order_deadline_seconds,
            settle_margin_seconds=settings.settle_margin_seconds,
            hours=MarketHours(self.clock, max_age_seconds=0.0),
        )
        return AlpacaBroker(account.account_type, account.user_id, context=context)

    def close(self) -> None:
        for broker in self.brokers:
            broker.close()
        self.reaper.close()


@pytest.fixture(scope="session")
def exchange_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7, state=tmp_path_factory.mktemp("exchange")) as process:
        process.control("POST", "/session", {"brokerage": "alpaca", "mode": "always_open"})
        _warm_up(process, tmp_path_factory.mktemp("warm-up"))
        yield process


def _warm_up(process: ExchangeProcess, state_dir: Path) -> None:
    """The exchange computes every market's history when it is first asked: longer than the limits of these tests."""
    clock = SystemClock()
    wiring = Wiring(process, state_dir, clock, CallReaper(clock), read_seconds=10)
    for broker_type in RIGS:
        wiring.broker(AccountRef.user(broker_type, "early")).get_trading_pairs()
    wiring.close()


@pytest.fixture
def exchange(exchange_process: ExchangeProcess) -> Iterator[ExchangeProcess]:
    """The one exchange of this test process, without the faults and the standstill of the test before."""
    yield exchange_process
    exchange_process.clear_faults()
    exchange_process.pause(paused=False)


@pytest.fixture
def wiring(exchange: ExchangeProcess, tmp_path: Path) -> Iterator[Wiring]:
    clock = SystemClock()
    made = Wiring(exchange, tmp_path, clock, CallReaper(clock))
    yield made
    made.close()


@pytest.fixture(params=[BrokerType.KRAKEN, BrokerType.COINBASE], ids=str)
def account(request: pytest.FixtureRequest) -> AccountRef:
    """A user of each brokerage with a name of its own for every test, so that no test sees another's orders."""
    number = abs(hash(request.node.name)) % 10**9
    return AccountRef.user(request.param, f"u{number}")


@pytest.fixture
def broker(wiring: Wiring, account: AccountRef) -> BaseBroker:
    made = wiring.broker(account)
    made.connect()
    return made
