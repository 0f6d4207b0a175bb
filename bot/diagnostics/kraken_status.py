"""`check_kraken_status.py`: Kraken's accounts alone, with the file that keeps each key's nonces."""

from collections.abc import Sequence

from bot.diagnostics import broker_status
from bot.diagnostics.accounts import time_text
from bot.diagnostics.command import Extra, account_command
from bot.diagnostics.kraken_accounts import kraken_accounts
from bot.diagnostics.nonces import nonce_state
from bot.settings import Settings


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
