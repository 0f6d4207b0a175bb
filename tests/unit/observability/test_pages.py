"""The pages of health: what they say, and that nothing of them reaches anything else."""

import socket
from collections.abc import Iterator

import pytest
import requests

from bot.observability.health_pages import routes
from bot.observability.metrics import Metrics
from bot.observability.pages import MAX_CONNECTIONS, Pages
from bot.observability.readiness import Readiness
from bot.seams.clock import SystemClock
from tests.bot_process import wait_until


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def pages(readiness: Readiness) -> Iterator[Pages]:
    opened = Pages("127.0.0.1", 0, routes(Metrics(), readiness), SystemClock())
    yield opened
    opened.close()


def ask(pages: Pages, name: str) -> tuple[int, str]:
    with requests.Session() as session:
        session.trust_env = False
        reply = session.get(f"http://127.0.0.1:{pages.port}/{name}", timeout=10)
    return reply.status_code, reply.text.strip()


def test_alive_is_who_turns_and_ready_is_who_can_trade(pages: Pages, readiness: Readiness) -> None:
    assert ask(pages, "live") == (200, "alive")
    assert ask(pages, "ready") == (503, "starting")
    readiness.waiting = ""
    assert ask(pages, "ready") == (503, "no account is healthy")
    readiness.accounts = lambda: [{"account": "kraken", "health": "healthy", "cash": "5 USD"}]
    assert ask(pages, "ready") == (200, "ready")
    readiness.problems.append(lambda: "nothing can be written down")
    assert ask(pages, "ready") == (503, "nothing can be written down")
    readiness.ages["the main loop"] = lambda: 31.0
    assert ask(pages, "live") == (503, "the main loop has not turned for 31 s")


def test_accounts_are_shown_without_balances(pages: Pages, readiness: Readiness) -> None:
    readiness.accounts = lambda: [{"account": "kraken", "health": "healthy", "cash": "5 USD"}]
    status, text = ask(pages, "trading")
    assert status == 200
    assert '"kraken"' in text and "cash" not in text and "5 USD" not in text


def test_a_page_that_fails_is_an_answer_too(pages: Pages, readiness: Readiness) -> None:
    readiness.waiting = ""
    readiness.problems.append(lambda: str(1 / 0))
    assert ask(pages, "ready")[0] == 500
    assert ask(pages, "live") == (200, "alive")
    assert ask(pages, "nothing")[0] == 404


def test_who_opens_too_many_connections_is_hung_up_on_and_others_are_served_when_they_go(pages: Pages) -> None:
    idle = [socket.create_connection(("127.0.0.1", pages.port)) for _ in range(MAX_CONNECTIONS)]
    with socket.create_connection(("127.0.0.1", pages.port)) as one_more:
        one_more.settimeout(10)
        assert one_more.recv(1) == b""
    for connection in idle:
        connection.close()

    def served() -> bool:
        try:
            return ask(pages, "live") == (200, "alive")
        except requests.ConnectionError:
            return False

    wait_until(served, seconds=20, what="the page is there again")


def test_a_platform_that_asks_for_json_is_told_the_build_too(pages: Pages, readiness: Readiness) -> None:
    readiness.build = {"build": "0123456789ab", "configuration": "ba9876543210"}
    for name, word in (("live", "alive"), ("ready", "ready")):
        reply = requests.get(
            f"http://127.0.0.1:{pages.port}/{name}", headers={"Accept": "application/json"}, timeout=10
        )
        assert reply.json()["build"] == "0123456789ab"
        assert reply.json()[word] is (name == "live")
        assert reply.status_code == (200 if name == "live" else 503)
    assert '"build": "0123456789ab"' in ask(pages, "trading")[1]
