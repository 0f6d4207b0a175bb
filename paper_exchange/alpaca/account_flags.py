"""What Alpaca says of an account beside its money: its status, whether it may trade, and how often it day-trades.

No client can change these; tests and operators do, over the control API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from paper_exchange.api_keys import Account, BadAccount

STATE_NAME = "alpaca_accounts"
ACTIVE = "ACTIVE"
STATUSES = frozenset(
    {
        "ONBOARDING",
        "SUBMISSION_FAILED",
        "SUBMITTED",
        "ACCOUNT_UPDATED",
        "APPROVAL_PENDING",
        ACTIVE,
        "REJECTED",
        "ACCOUNT_CLOSED",
        "DISABLED",
        "INACTIVE",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFlags:
    """As in ``GET /v2/account``. ``daytrade_count`` is of the last five trading days."""

    status: str = ACTIVE
    trading_blocked: bool = False
    account_blocked: bool = False
    transfers_blocked: bool = False
    trade_suspended_by_user: bool = False
    pattern_day_trader: bool = False
    daytrade_count: int = 0


class AccountFlagBook:
    """The flags of all accounts, kept over a restart."""

    def __init__(self, saved: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._flags = {account_id: AccountFlags(**flags) for account_id, flags in (saved or {}).items()}

    def of(self, account_id: str) -> AccountFlags:
        return self._flags.get(account_id, AccountFlags())

    def change(self, account: Account, changes: Mapping[str, object]) -> dict[str, object]:
        """Set the flags that are named and give all of them; raises BadAccount and changes nothing for a bad one."""
        flags = self.of(account.account_id)
        for name, value in changes.items():
            _check(name, value)
        changed = replace(flags, **dict(changes))  # type: ignore[arg-type]
        self._flags[account.account_id] = changed
        return asdict(changed)

    def snapshot(self) -> dict[str, object]:
        return {account_id: asdict(flags) for account_id, flags in self._flags.items()}


def _check(name: str, value: object) -> None:
    known = asdict(AccountFlags())
    if name not in known:
        raise BadAccount(f"{name}: it is not one of {', '.join(known)}")
    if type(value) is not type(known[name]):
        raise BadAccount(f"{name}: it must be {_kind(known[name])}")
    if name == "status" and value not in STATUSES:
        raise BadAccount(f"status: {value!r} is not one of {', '.join(sorted(STATUSES))}")
    if isinstance(value, int) and value < 0:
        raise BadAccount(f"{name}: it must not be negative")


def _kind(example: object) -> str:
    return {bool: "true or false", int: "a whole number", str: "text"}[type(example)]
