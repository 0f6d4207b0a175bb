"""Where a key is made at each brokerage, what it must be allowed to do, and what it must not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bot.domain.account import BrokerType


@dataclass(frozen=True)
class KeyAdvice:
    """The menu's words as the brokerage writes them; they change them now and then, the rights hardly ever."""

    menu: str
    grant: Sequence[str]
    never: str
    notes: Sequence[str] = ()

    def lines(self) -> Sequence[str]:
        """For a person, who has the brokerage's page open beside."""
        return (
            f"Where:  {self.menu}",
            f"Grant:  {'; '.join(self.grant)}",
            f"Never:  {self.never}",
            *(f"Note:   {note}" for note in self.notes),
        )


ADVICE: Mapping[BrokerType, KeyAdvice] = MappingProxyType(
    {
        BrokerType.KRAKEN: KeyAdvice(
            menu="kraken.com, your name, Settings, API, Create API key",
            grant=(
                "Funds: Query",
                "Orders and trades: Query open, Query closed, Create & modify, Cancel & close",
                "Data: Query ledger entries",
                "WebSocket interface: on",
            ),
            never="Withdraw, and nothing about withdrawal addresses",
            notes=("a key for this bot alone: another program with it would spoil its nonces",),
        ),
        BrokerType.COINBASE: KeyAdvice(
            menu="portal.cdp.coinbase.com, API keys, Create API key (Secret API key)",
            grant=("View", "Trade", "the portfolio that is to trade"),
            never="Transfer",
            notes=("Advanced settings: signature algorithm ECDSA, not Ed25519",),
        ),
        BrokerType.OKX: KeyAdvice(
            menu="okx.com, your profile, API, Create API key, for API trading",
            grant=("Read", "Trade"),
            never="Withdraw",
            notes=(
                "you choose a pass phrase there; it is asked for here too",
                "the account must be in spot mode, without spot borrowing",
                "a key with Trade that is bound to no address ends after 14 days without use",
            ),
        ),
        BrokerType.BINANCE: KeyAdvice(
            menu="binance.com, Account, API Management, Create API, System generated",
            grant=("Enable Reading", "Enable Spot & Margin Trading"),
            never="Enable Withdrawals, Permits Universal Transfer, Enable Internal Transfer",
            notes=("trading wants the key bound to this machine's address (Restrict access to trusted IPs)",),
        ),
        BrokerType.ALPACA: KeyAdvice(
            menu="app.alpaca.markets, the live account, Home, API Keys, Generate new keys",
            grant=("nothing to choose: each key may trade",),
            never="a key of the Broker API; keys of the Trading API cannot withdraw",
            notes=(
                "live keys begin with AK; keys of Alpaca's own paper trading (PK) need alpaca.rest_url set to "
                "https://paper-api.alpaca.markets",
            ),
        ),
    }
)
