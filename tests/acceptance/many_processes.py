"""Several bots that share the accounts of one installation: one PostgreSQL, one exchange, a state directory each."""

import json
from pathlib import Path

from tests.acceptance.shared_database import SharedDatabase
from tests.bot_process import BotProcess, wait_until
from tests.exchange_process import ExchangeProcess

LEASE_SECONDS = 6.0


class ManyProcesses(SharedDatabase):
    """A busy Kraken master with `users`, over as many processes as are started."""

    def __init__(self, directory: Path, exchange: ExchangeProcess, url: str, *, users: int) -> None:
        super().__init__(directory, exchange, url)
        self.users = [f"user{number:03}" for number in range(users)]
        (self._config / "users" / "retail_kraken.json").write_text(
            json.dumps(
                [
                    {
                        "user_id": name,
                        "name": name.title(),
                        "account_type": "retail",
                        "broker_type": "kraken",
                        "enabled": True,
                        "description": "",
                    }
                    for name in self.users
                ]
            ),
            encoding="utf-8",
        )

    def joins(self, name: str, **more: str) -> BotProcess:
        return self.start(name, lease_seconds=LEASE_SECONDS, NIJA__SCALING__MODE="many", **more)

    # -- what the rows say ------------------------------------------------------------------------------------------
    def held(self) -> dict[int, list[str]]:
        """The accounts of each living process, by its pid."""
        if not self.ask("SELECT 1 FROM pg_tables WHERE tablename = 'trading_process'"):
            return {}
        rows = self.ask(
            "SELECT p.pid, l.account_id FROM trading_process p LEFT JOIN lease l ON l.owner = p.process_id "
            "WHERE p.ended_at IS NULL AND p.takes_since IS NOT NULL AND p.expires_at > clock_timestamp() ORDER BY 1, 2"
        )
        found: dict[int, list[str]] = {}
        for pid, account in rows:
            found.setdefault(pid, []).extend([account] if account else [])
        return found

    def is_shared_by(self, *bots: BotProcess) -> bool:
        """Whether these processes hold all accounts between them, none more than its part."""
        held, all_of_them = self.held(), len(self.users) + 1
        part = -(-all_of_them // len(bots))
        return (
            held.keys() == {bot.process.pid for bot in bots}
            and sum(map(len, held.values())) == all_of_them
            and all(len(accounts) <= part for accounts in held.values())
        )

    def wait_shared(self, *bots: BotProcess, seconds: float = 60.0) -> None:
        wait_until(lambda: self.is_shared_by(*bots), seconds=seconds, what="each holds its part of the accounts")

    def holder_of_master(self) -> int:
        """The pid of the process that holds the master's account; 0 = none."""
        return next((pid for pid, accounts in self.held().items() if "kraken" in accounts), 0)

    def copies_since(self, sequence: int) -> int:
        """How many signals after this one are answered by every user."""
        ((count,),) = self.ask(
            f"SELECT count(*) FROM signal s WHERE s.sequence > {sequence} AND s.planned_at IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM copy_result c WHERE c.signal_id = s.signal_id AND c.status = 'planned')"
        )
        return int(count)

    def last_signal(self) -> int:
        ((sequence,),) = self.ask("SELECT coalesce(max(sequence), 0) FROM signal")
        return int(sequence)

    def copied(self, *, signals: int, seconds: float = 60.0) -> None:
        """Wait until so many new signals are answered by all users."""
        since = self.last_signal()
        wait_until(lambda: self.copies_since(since) >= signals, seconds=seconds, what=f"{signals} more are copied")
