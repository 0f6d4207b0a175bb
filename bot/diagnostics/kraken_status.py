"""`check_kraken_status.py`: Kraken's accounts alone."""

from collections.abc import Sequence

from bot.diagnostics import broker_status
from bot.diagnostics.command import account_command


def main(argv: Sequence[str] | None = None) -> int:
    return account_command(
        name="check_kraken_status.py",
        description="Are Kraken's master and users connected, funded and trading?",
        show=broker_status.show,
        wanted=lambda account: account.row.broker == "kraken",
        argv=argv,
    )
