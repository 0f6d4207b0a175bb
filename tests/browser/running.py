"""A bot with its page, as an operator runs it, for tests that look at it in a browser."""

import json
import socket
from pathlib import Path

from tests.bot_process import BotProcess, environment

WITH_MARKETS = {"NIJA__KRAKEN__MARKET_FEED": "true", "NIJA__MARKET_WATCH__ENABLED": "true"}


def free_port() -> int:
    """A port nobody uses now; for a page that must come back at the same address."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def bot_with_page(state_dir: Path, *, port: int = 0, **more: str) -> BotProcess:
    """A bot on a paper exchange of its own. `url_of` says where its page is."""
    page = {"NIJA__CONSOLE__ENABLED": "true", "NIJA__CONSOLE__PORT": str(port), "NIJA__PACE__PAPER__CYCLE_SECONDS": "2"}
    return BotProcess(environment(state_dir, **page) | more, log=state_dir / "output.log")


def url_of(bot: BotProcess) -> str:
    """The page's address, once it can be opened."""
    bot.says("Console at http://", seconds=90)
    written = Path(bot.environ["STATE_DIR"]) / "console.json"
    return str(json.loads(written.read_text(encoding="utf-8"))["url"])
