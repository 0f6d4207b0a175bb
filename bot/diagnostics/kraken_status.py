"""`check_kraken_status.py`: Kraken's accounts alone, with the file that keeps each key's nonces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.brokers.kraken.context import nonce_path
from bot.brokers.kraken.nonce_file import NonceFile
from bot.diagnostics import broker_status
from bot.diagnostics.accounts import time_text
from bot.diagnostics.command import Extra, account_command
from bot.diagnostics.kraken_accounts import kraken_accounts
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError, StoreUnavailable
from bot.seams.clock import SystemClock, from_unix_seconds
from bot.settings import Settings

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class NonceState:
    """One key's nonce file: up to when nonces may have been used, or what is wrong with it."""

    account: AccountRef
    path: Path
    used_until: datetime | None
    problem: str

    @property
    def line(self) -> str:
        if self.problem:
            return f"{self.account.label}: {self.problem}"
        if self.used_until is None:
            return f"{self.account.label}: no nonce file yet ({self.path.name})"
        return f"{self.account.label}: nonces up to {time_text(self.used_until)} may have been used ({self.path.name})"


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_kraken_status.py",
        description="Are Kraken's master and users connected, funded and trading? Are their nonces in order?",
        show=broker_status.show,
        wanted=lambda broker: broker == "kraken",
        extra=_nonces,
        argv=argv,
    )


def _nonces(settings: Settings) -> Extra:
    states = [nonce_state(account, settings.state_dir) for account in kraken_accounts(settings)]
    return Extra(
        ["Nonces:", *(f"  {state.line}" for state in states)],
        {
            "nonces": [
                {
                    "account": state.account.label,
                    "file": str(state.path),
                    "used_until": time_text(state.used_until),
                    "problem": state.problem,
                }
                for state in states
            ]
        },
        any(state.problem for state in states),
    )


def nonce_state(account: AccountRef, state_dir: Path) -> NonceState:
    """Reads the file and changes nothing."""
    path = nonce_path(state_dir, account)
    try:
        record = NonceFile(path, SystemClock()).read()
    except (ConfigurationError, StoreUnavailable) as error:
        return NonceState(account, path, None, str(error))
    return NonceState(account, path, None if record is None else from_unix_seconds(record.ceiling / NANOSECONDS), "")
