"""Who trades where."""

from dataclasses import dataclass
from enum import StrEnum


class BrokerType(StrEnum):
    """The five brokerages, as peers."""

    COINBASE = "coinbase"
    KRAKEN = "kraken"
    OKX = "okx"
    BINANCE = "binance"
    ALPACA = "alpaca"

    @property
    def proper_name(self) -> str:
        """As the brokerage writes itself."""
        return "OKX" if self is BrokerType.OKX else self.value.capitalize()


class AccountType(StrEnum):
    """A master runs a strategy; a user mirrors the master of the same brokerage."""

    MASTER = "master"
    USER = "user"


@dataclass(frozen=True, order=True)
class AccountRef:
    """One account at one brokerage. `user_id` is None for the master."""

    broker: BrokerType
    account_type: AccountType
    user_id: str | None = None

    def __post_init__(self) -> None:
        if (self.account_type is AccountType.USER) != (self.user_id is not None):
            raise ValueError("a user account needs a user_id, and only a user account has one")

    @classmethod
    def master(cls, broker: BrokerType) -> "AccountRef":
        return cls(broker, AccountType.MASTER)

    @classmethod
    def user(cls, broker: BrokerType, user_id: str) -> "AccountRef":
        return cls(broker, AccountType.USER, user_id)

    @property
    def is_master(self) -> bool:
        return self.account_type is AccountType.MASTER

    @property
    def label(self) -> str:
        """`kraken` for a master, `daivon_frazier_kraken` for a user: in thread names, the log, the store."""
        return str(self.broker) if self.user_id is None else f"{self.user_id}_{self.broker}"

    @property
    def venue_account_name(self) -> str:
        """`master` or the user id: the account's name at the paper exchange."""
        return self.user_id or "master"
