"""Who trades where."""

import re
from dataclasses import dataclass
from enum import StrEnum

# An exchange that is opened by name: letters and digits, so that labels, variables and file names stay readable.
EXCHANGE_NAME = re.compile(r"[a-z][a-z0-9]{1,23}", re.ASCII)
_others: dict[str, "BrokerType"] = {}


class BrokerType(StrEnum):
    """The five brokerages, as peers: these are its members.

    Any other name in the form of an exchange's is a value too, one object for each name, but no member: it is not
    iterated over. Which of them there are, the settings say (`exchanges`).
    """

    COINBASE = "coinbase"
    KRAKEN = "kraken"
    OKX = "okx"
    BINANCE = "binance"
    ALPACA = "alpaca"

    @classmethod
    def _missing_(cls, value: object) -> "BrokerType | None":
        if not isinstance(value, str) or not EXCHANGE_NAME.fullmatch(value):
            return None
        other = str.__new__(cls, value)
        other._name_, other._value_ = value.upper(), value
        return _others.setdefault(value, other)

    @property
    def is_named(self) -> bool:
        """Whether it is one of the five; any other is opened by the name that the settings give it."""
        return self.name in type(self).__members__

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
