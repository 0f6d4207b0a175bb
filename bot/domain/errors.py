"""Errors, named by what the caller does next.

NijaError
├── ConfigurationError       stop and tell the operator what to change
│   └── NotConfigured            an account without any key: it waits, and nothing is wrong
├── BalanceUnknown           no entry; exits go on
├── NumberRefused            a number at the edge is not one we accept: treat the reply as unreadable
├── StoreUnavailable         nothing may be sent, because nothing can be written down
├── Fenced                   somebody else has this account now: this thread sends nothing and ends
└── VenueError
    ├── RetryLater           not processed; the same may be tried again after `retry_after_seconds`
    │   ├── HeldBack         an entry that was stopped right before the wire: given up
    │   ├── MarketClosed         the venue's session is over: after the opening
    │   ├── VenueStopped         nobody sends anything to this venue for now; not this account's failure
    │   └── VenueInMaintenance   the venue says it is closed for now
    ├── OrderRefused         the venue said no, for this order, for good
    │   └── InsufficientFunds
    ├── OutcomeUnknown       nobody knows whether it was done: ask, never send again
    ├── CredentialsRejected  a person must look at the key
    │   └── KeyUnfit             the key works, and is not one that this account may be traded with
    └── UnreadableReply      a reading failed: the value stays unknown
"""

from datetime import datetime

from bot.domain.veto import Veto


class NijaError(Exception):
    """Base of all errors of this program."""


class ConfigurationError(NijaError):
    """What the operator wrote cannot be used. `problems` holds one sentence each."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class NotConfigured(ConfigurationError):
    """The operator has said nothing about this account's key: a state, and no mistake."""


class BalanceUnknown(NijaError):
    """There is no balance to decide with; the message says why."""


class NumberRefused(NijaError, ValueError):
    """A text that should be a number is not one we accept."""


class StoreUnavailable(NijaError):
    """The store did not take a write in time."""


class Fenced(NijaError):
    """The account was opened anew by another thread or process; whoever sees this may not send any more."""


class VenueError(NijaError):
    """A brokerage did not do as asked. `venue_code` is its own word, if it said one."""

    def __init__(self, message: str, *, venue_code: str = "") -> None:
        self.venue_code = venue_code
        super().__init__(message)


class RetryLater(VenueError):
    """Certainly not processed; may be tried again later."""

    def __init__(self, message: str, *, venue_code: str = "", retry_after_seconds: float = 1.0) -> None:
        super().__init__(message, venue_code=venue_code)
        self.retry_after_seconds = retry_after_seconds


class HeldBack(RetryLater):
    """Not sent, because it was stopped at the last moment; `veto` says by what. It is not tried again."""

    def __init__(self, veto: Veto) -> None:
        self.veto = veto
        super().__init__(str(veto))


class MarketClosed(RetryLater):
    """Not sent: the venue trades in sessions, and it is closed or about to close. `opens_at` None = nobody knows."""

    def __init__(self, message: str, *, opens_at: datetime | None = None, retry_after_seconds: float = 60.0) -> None:
        super().__init__(message, venue_code="market_closed", retry_after_seconds=retry_after_seconds)
        self.opens_at = opens_at


class VenueStopped(RetryLater):
    """Not sent: the venue as a whole is left alone for a while, or tried by another account's probe."""


class VenueInMaintenance(RetryLater):
    """The venue, or this market, is closed for now."""


class OrderRefused(VenueError):
    """The venue's own word that this order does not exist and will not."""


class InsufficientFunds(OrderRefused):
    """Refused because the account cannot pay for it."""


class OutcomeUnknown(VenueError):
    """The request may or may not have been processed."""


class CredentialsRejected(VenueError):
    """The key, its signature or its rights were refused."""


class KeyUnfit(CredentialsRejected):
    """The venue takes the key; it lacks a right, has one too many, or opens another account."""


class UnreadableReply(VenueError):
    """A reading (not an order) failed or could not be understood."""
