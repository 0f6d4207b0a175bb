"""The process: its first line, its ends, its ports, and what it keeps."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from tests.exchange_process import ROOT, ExchangeProcess, wait_until
from tests.paper_exchange.kraken_client import KrakenClient

BALANCES = {"USD": "10000", "BTC": "1"}


def run_to_end(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "paper_exchange", *options], cwd=ROOT, capture_output=True, text=True, timeout=20
    )


def free_base() -> int:
    """The first of three free ports, below those that the system hands out by itself."""
    for base in range(20_000 + os.getpid() % 1000 * 10, 32_000, 10):
        try:
            for port in range(base, base + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


def test_the_first_line_names_every_address_and_nothing_follows_it(tmp_path: Path) -> None:
    with ExchangeProcess() as exchange:
        assert set(exchange.addresses) >= {"control", "kraken", "coinbase"}
        assert set(exchange.addresses["control"]) == {"url", "token"}
        assert {"rest", "ws", "ws_auth"} == set(exchange.addresses["kraken"])
        assert requests.get(exchange.rest_url("kraken") + "/0/public/Time", timeout=5).json()["error"] == []
        exchange.process.send_signal(signal.SIGTERM)
        assert exchange.process.stdout is not None
        assert exchange.process.stdout.read() == b""
        assert exchange.stop() == 0
        assert exchange.stderr() == ""


def test_it_listens_on_loopback_only() -> None:
    with ExchangeProcess() as exchange:
        for address in (exchange.control_url, exchange.rest_url("kraken"), exchange.rest_url("coinbase")):
            assert address.startswith("http://127.0.0.1:")


def test_it_ends_cleanly_on_sigterm_even_with_a_call_hanging() -> None:
    with ExchangeProcess() as exchange:
        client = KrakenClient(exchange.rest_url("kraken"), exchange.open_account("kraken", "master", BALANCES))
        exchange.fault("hang", account="master")
        with pytest.raises(requests.ReadTimeout):
            client.post("Balance", {"nonce": client.next_nonce()}, timeout=0.2)
        host, port = exchange.rest_url("kraken").removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))):
            exchange.process.send_signal(signal.SIGTERM)
            assert exchange.process.wait(5) == 0
        client.close()


def test_ctrl_c_ends_it_unless_it_has_a_parent_to_wait_for() -> None:
    with subprocess.Popen([sys.executable, "-m", "paper_exchange"], cwd=ROOT, stdout=subprocess.PIPE) as alone:
        assert alone.stdout is not None
        alone.stdout.readline()
        alone.send_signal(signal.SIGINT)
        assert alone.wait(5) == 0
    with ExchangeProcess() as child:
        child.process.send_signal(signal.SIGINT)
        assert child.control("GET", "/health")["status"] == "ok"
        assert child.process.stdin is not None
        child.process.stdin.close()
        assert child.process.wait(5) == 0


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'paper_exchange', '--exit-with-stdin'],\n"
        "    stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        wait_until(lambda: not is_running(child), what="the end of the exchange")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_taken_port_is_named_and_the_exit_code_is_2() -> None:
    base = free_base()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base + 1))
        taken.listen()
        ended = run_to_end("--port-base", str(base))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert f"Port {base + 1} of 127.0.0.1, wanted for kraken, is taken" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_ports_follow_from_the_base() -> None:
    base = free_base()
    with ExchangeProcess(options=["--port-base", str(base)]) as exchange:
        assert exchange.control_url.endswith(f":{base}")
        assert exchange.rest_url("kraken").endswith(f":{base + 1}")
        assert exchange.rest_url("coinbase").endswith(f":{base + 2}")


@pytest.mark.parametrize("options", [["--port-base", "0"], ["--seed", "x"], ["--latency-ms", "-1"], ["--frobnicate"]])
def test_wrong_use_has_exit_code_2(options: list[str]) -> None:
    ended = run_to_end(*options)
    assert ended.returncode == 2
    assert ended.stderr


def test_accounts_orders_and_nonces_survive_kill_9(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "paper") as exchange:
        opened = exchange.open_account("kraken", "master", BALANCES)
        client = KrakenClient(exchange.rest_url("kraken"), opened)
        bought = client.ok("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01")["txid"][0]
        resting = client.ok("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="1000", volume="0.01")
        before = exchange.account("kraken", "master")
        trades = client.ok("TradesHistory")["trades"]
        lines = exchange.journal()
        last = client.next_nonce()
        assert client.post("Balance", {"nonce": last}).json()["error"] == []
        exchange.kill()
        exchange.start()

        assert exchange.open_account("kraken", "master", {"USD": "1"}) == opened
        after = exchange.account("kraken", "master")
        assert {**after, "highest_nonce": None} == {**before, "highest_nonce": None}
        client.url = exchange.rest_url("kraken")
        assert client.post("Balance", {"nonce": last}).json()["error"] == ["EAPI:Invalid nonce"]
        assert client.ok("TradesHistory")["trades"] == trades
        assert client.ok("QueryOrders", txid=bought)[bought]["status"] == "closed"
        assert set(client.ok("OpenOrders")["open"]) == set(resting["txid"])
        again = exchange.journal()
        assert again[: len(lines)] == lines
        assert [line["seq"] for line in again] == list(range(1, len(again) + 1))
        assert client.ok("CancelAll") == {"count": 1}
        assert Decimal(exchange.account("kraken", "master")["holds"]["USD"]) == 0
        client.close()


def test_an_order_that_was_answered_survives_a_kill_right_after(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "paper") as exchange:
        client = KrakenClient(exchange.rest_url("kraken"), exchange.open_account("kraken", "master", BALANCES))
        placed: list[str] = []
        for _ in range(4):
            for _ in range(3):
                order = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.001"}
                placed += client.ok("AddOrder", order)["txid"]
            exchange.kill()
            exchange.start()
            client.url = exchange.rest_url("kraken")
            assert set(client.ok("ClosedOrders")["closed"]) == set(placed)
            assert Decimal(client.ok("Balance")["XXBT"]) == 1 + Decimal("0.001") * len(placed)
        fills = exchange.journal(type="fill")
        assert {line["order_id"] for line in fills} == set(placed)
        client.close()


def test_a_stop_loses_nothing_and_new_ids_differ_from_old_ones(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "paper") as exchange:
        client = KrakenClient(exchange.rest_url("kraken"), exchange.open_account("kraken", "master", BALANCES))
        order = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.001"}
        first = {client.ok("AddOrder", order)["txid"][0] for _ in range(3)}
        token = exchange.token
        assert exchange.stop() == 0
        exchange.start()
        assert exchange.token == token
        client.url = exchange.rest_url("kraken")
        assert set(client.ok("ClosedOrders")["closed"]) == first
        second = {client.ok("AddOrder", order)["txid"][0] for _ in range(3)}
        assert not first & second
        client.close()


def test_a_corrupt_state_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    state = tmp_path / "paper"
    state.mkdir()
    (state / "exchange.json").write_text('{"version": 1, "accounts":')
    ended = run_to_end("--state", str(state))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert str(state / "exchange.json") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_state_is_not_continued_with_another_seed(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "paper", seed=5) as exchange:
        assert exchange.control("GET", "/health")["seed"] == 5
    ended = run_to_end("--state", str(tmp_path / "paper"), "--seed", "6")
    assert ended.returncode == 2
    assert "--seed 5" in ended.stderr


def test_candles_of_ones_own_are_replayed(tmp_path: Path) -> None:
    rows = [f"{1_700_000_000 // 60 * 60 + 60 * minute},{p},{p + 5},{p - 5},{p + 1},2" for minute, p in candles(20)]
    csv = tmp_path / "mine.csv"
    csv.write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n")
    with ExchangeProcess(options=["--csv", str(csv)]) as exchange:
        response = requests.get(exchange.rest_url("kraken") + "/0/public/OHLC?pair=XBTUSD", timeout=5)
        closes = [float(row[4]) for row in response.json()["result"]["XXBTZUSD"]]
        assert any(closes[at : at + 5] == [float(p + 1) for _, p in candles(5)] for at in range(len(closes)))


def candles(count: int) -> list[tuple[int, int]]:
    return [(minute, 50_000 + 10 * minute) for minute in range(count)]


def test_a_bad_candle_is_named_by_file_and_line(tmp_path: Path) -> None:
    csv = tmp_path / "mine.csv"
    csv.write_text("time,open,high,low,close,volume\n1700000000,5,4,3,4,1\n")
    ended = run_to_end("--csv", str(csv))
    assert ended.returncode == 2
    assert f"{csv}:2" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_latency_is_added_to_answers_of_brokerages() -> None:
    with ExchangeProcess(options=["--latency-ms", "150"]) as exchange:
        response = requests.get(exchange.rest_url("kraken") + "/0/public/Time", timeout=5)
        assert response.elapsed.total_seconds() >= 0.15


def test_the_exchange_is_moved_while_it_runs() -> None:
    with ExchangeProcess() as exchange:
        assert exchange.control("POST", "/latency", {"milliseconds": 200}) == {"milliseconds": "200"}
        url = exchange.rest_url("kraken") + "/0/public/Time"
        assert requests.get(url, timeout=5).elapsed.total_seconds() >= 0.2
        with pytest.raises(AssertionError, match="milliseconds must be from 0"):
            exchange.control("POST", "/latency", {"milliseconds": -1})


def test_keys_and_token_are_not_readable_by_others(tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "paper") as exchange:
        exchange.open_account("kraken", "master", BALANCES)
        exchange.stop()
        for path in (tmp_path / "paper").iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
        content = json.loads((tmp_path / "paper" / "exchange.json").read_text())
        assert content["accounts"][0]["name"] == "master"


def test_it_is_idle_when_nothing_happens() -> None:
    with ExchangeProcess() as exchange:
        before = cpu_seconds(exchange.pid)
        with pytest.raises(subprocess.TimeoutExpired):
            exchange.process.wait(1.5)
        assert cpu_seconds(exchange.pid) - before < 0.1


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
