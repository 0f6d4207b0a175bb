"""One account at OKX, one account at Binance."""

from bot.brokers.by_ccxt.binance import BinanceProfile
from bot.brokers.by_ccxt.binance_stream import BinanceSpeech
from bot.brokers.by_ccxt.ccxt_broker import CcxtBroker
from bot.brokers.by_ccxt.context import CcxtContext
from bot.brokers.by_ccxt.okx import OkxProfile
from bot.brokers.by_ccxt.okx_stream import OkxSpeech
from bot.brokers.capabilities import Capabilities, Deadline, FeeTaken, Ledger, PrivateStream, RepeatedId
from bot.brokers.stream_speech import StreamSpeech
from bot.domain.account import AccountRef, AccountType, BrokerType
from bot.domain.order import OrderType

__all__ = ["BinanceBroker", "CcxtBroker", "OKXBroker"]

# OKX takes letters and digits, up to 32 of them; ours are made to be legal everywhere.
CLIENT_ID = "[A-Za-z0-9]{1,32}"


class OKXBroker(CcxtBroker):
    """OKX over REST, spot. Without a context (in a Python shell) one is made from the settings."""

    profile = OkxProfile
    capabilities = Capabilities(
        order_types={OrderType.MARKET: "market", OrderType.LIMIT_IOC: "ioc", OrderType.LIMIT_GTC: "limit"},
        stop_orders=("conditional", "trigger"),
        market_by_quote=True,
        repeated_id=RepeatedId.NEW_ORDER,
        client_id=CLIENT_ID,
        deadline=Deadline.IN_ORDER,
        fee=FeeTaken.RECEIVED,
        private_stream=PrivateStream.TRADES,
        passphrase=True,
        ledger=Ledger.WHOLE,
    )

    def __init__(
        self,
        account_type: AccountType = AccountType.MASTER,
        user_id: str | None = None,
        *,
        context: CcxtContext | None = None,
    ) -> None:
        account = AccountRef(BrokerType.OKX, account_type, user_id)
        if context is None:
            from bot.brokers.bare_shell import okx_context  # only a shell needs settings and processes

            context = okx_context(account)
        super().__init__(account, context)

    def _speech(self, context: CcxtContext) -> StreamSpeech:
        credentials = context.access.credentials
        passphrase = credentials.api_passphrase
        return OkxSpeech(
            api_key=credentials.api_key,
            passphrase="" if passphrase is None else passphrase.get_secret_value(),
            signer=self._calls.signer,
            now=self.venue_clock.now,
        )


class BinanceBroker(CcxtBroker):
    """Binance over REST, spot. Without a context (in a Python shell) one is made from the settings."""

    profile = BinanceProfile
    capabilities = Capabilities(
        order_types={
            OrderType.MARKET: "MARKET",
            OrderType.LIMIT_IOC: "LIMIT IOC",
            OrderType.LIMIT_GTC: "LIMIT GTC",
            OrderType.STOP: "STOP_LOSS",
        },
        stop_orders=("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
        market_by_quote=True,
        repeated_id=RepeatedId.NEW_ORDER,
        client_id="[A-Za-z0-9_-]{1,36}",
        deadline=Deadline.IN_SIGNATURE,
        fee=FeeTaken.RECEIVED,
        private_stream=PrivateStream.TRADES,
        ledger=Ledger.BY_MATTER,
    )

    def __init__(
        self,
        account_type: AccountType = AccountType.MASTER,
        user_id: str | None = None,
        *,
        context: CcxtContext | None = None,
    ) -> None:
        account = AccountRef(BrokerType.BINANCE, account_type, user_id)
        if context is None:
            from bot.brokers.bare_shell import binance_context  # only a shell needs settings and processes

            context = binance_context(account)
        super().__init__(account, context)

    def _speech(self, context: CcxtContext) -> StreamSpeech:
        return BinanceSpeech(
            api_key=context.access.credentials.api_key,
            signer=self._calls.signer,
            now=self.venue_clock.now,
            markets=lambda: context.instruments.known(context.access.base_url),
        )
