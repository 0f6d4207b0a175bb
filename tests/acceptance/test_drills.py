"""`python bot.py drill`: it passes on a bot that is sound, fails on one that is not, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.diagnostics.drills import copied, flatten
from bot.diagnostics.drills.catalogue import DRILLS, REST_ALONE, Drill
from bot.diagnostics.drills.running import run_drill
from bot.diagnostics.drills.stage import Stage
from bot.domain.account import BrokerType
from tests.bot_process import ROOT, wait_until
from tests.stored_bot import StoredBot, run_script

CONFIGURATION = """\
masters:
  - {broker: kraken}
risk: {max_positions: 5, scan_symbols_limit: 1}
market_watch: {enabled: false}
kraken: {market_feed: false}
"""
USERS = [
    {"user_id": name, "name": name.title(), "account_type": "retail", "broker_type": "kraken", "paper_balance": balance}
    for name, balance in (("ann", 2_000), ("bob", 6_000))
]
LONG = 180.0
# A key of the operator's, as it would stand in his .env.
KEY = "an-operators-key-that-no-drill-may-see"


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of an operator whose bot has run: one master with two users, a store, and keys."""
    (tmp_path / "config" / "users").mkdir(parents=True)
    (tmp_path / "config" / "nija.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "config" / "users" / "retail_kraken.json").write_text(json.dumps(USERS), encoding="utf-8")
    (tmp_path / "state").mkdir()
    (tmp_path / "tmp").mkdir()
    StoredBot(tmp_path / "state").store.close()
    yield {
        "PATH": os.environ.get("PATH", ""),
        "NIJA_CONFIG_DIR": str(tmp_path / "config"),
        "STATE_DIR": str(tmp_path / "state"),
        "TMPDIR": str(tmp_path / "tmp"),
        "KRAKEN_MASTER_API_KEY": KEY,
        "COLUMNS": "100",
    }


def processes_of(directory: Path) -> list[int]:
    """Those that were told of something below the directory, as the children of a drill are."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mentions(pid, directory)]


def mentions(pid: int, directory: Path) -> bool:
    try:
        texts = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
    except OSError:
        return False
    return any(str(directory).encode() in text for text in texts)


def test_a_drill_passes_is_written_down_and_leaves_nothing_behind(operator: dict[str, str], tmp_path: Path) -> None:
    done = run_script("bot.py", "drill", "lost-reply", "--json", environ=operator)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    (drill,) = answer["drills"]
    assert answer["passed"] and drill["passed"] and answer["not_stored"] is None
    assert all(step["passed"] and step["seen"] for step in drill["steps"])
    assert "lost-reply: passed: no order was taken twice" in done.stderr
    assert os.listdir(tmp_path / "tmp") == []
    assert processes_of(tmp_path / "tmp") == []
    listed = run_script("bot.py", "drill", "--last", "--json", environ=operator)
    assert listed.returncode == 0
    rows = {row["drill"]: row for row in json.loads(listed.stdout)["drills"]}
    assert rows["lost-reply"]["passed"] and rows["lost-reply"]["brokerage"] == "kraken"
    assert rows["kill"]["at"] is None


def test_a_drill_that_is_interrupted_ends_and_removes_what_it_started(operator: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    with log.open("wb") as output:
        drill = subprocess.Popen(
            [sys.executable, "bot.py", "drill", "hang"],
            cwd=ROOT, env=operator, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until(lambda: "the bot runs" in log.read_text(), seconds=LONG, what="the drill has started its bot")
        children = [pid for pid in processes_of(tmp_path / "tmp") if pid != drill.pid]
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in children]
        drill.send_signal(signal.SIGINT)
        assert drill.wait(LONG) != 0
    finally:
        drill.kill()
    assert len(children) >= 2, "a bot and an exchange"
    assert not any(KEY.encode() in environ for environ in environments)
    assert os.listdir(tmp_path / "tmp") == []
    assert processes_of(tmp_path / "tmp") == []


# -- a drill that could not fail would show nothing -------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Spoilt(Drill):
    """The same drill on a bot that is hindered by something that it cannot survive."""

    spoil: Callable[[Stage], None]

    def load(self) -> Callable[[Stage], None]:
        proper = super().load()

        def run(stage: Stage) -> None:
            self.spoil(stage)
            proper(stage)

        return run


def nothing_is_found(stage: Stage) -> None:
    """Whatever the victim asks of his orders, the exchange says there are none: what became of them stays unknown."""
    match = {"brokerage": "kraken", "account": stage.victim.user_id}
    stage.exchange.fault("lookup_lag", times=None, match=match, seconds=600)


def nothing_is_sold(stage: Stage) -> None:
    """After the copy of the entry no order of the victim is taken."""
    for endpoint, first in (("ws/add_order", 2), ("AddOrder", 1)):
        match = {"brokerage": "kraken", "account": stage.victim.user_id, "endpoint": endpoint, "nth": first}
        stage.exchange.fault("api_error", times=None, match=match, text="EService:Busy")


def failed(
    name: str, spoil: Callable[[Stage], None], environ: Mapping[str, str], changes: Mapping[str, str]
) -> Mapping[str, str]:
    """The steps that failed, with what was seen."""
    drill = DRILLS[name]
    finding = run_drill(
        Spoilt(name=name, text=drill.text, module=drill.module, changes=changes, spoil=spoil),
        brokerage=BrokerType.KRAKEN,
        config_dir=Path(environ["NIJA_CONFIG_DIR"]),
        variables=environ,
        keep=False,
        tell=print,
    )
    assert not finding.passed
    return {step.text: step.seen for step in finding.failures}


def test_a_flatten_that_sells_nothing_of_an_account_fails_the_drill(
    operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flatten, "WAIT_SECONDS", 5)
    monkeypatch.setattr(copied, "ANSWER_SECONDS", 15.0)
    seen = failed("flatten", nothing_is_sold, operator, {})
    assert "bob holds" in seen["all of it is sold, by the exchange's journal"]
    assert "ann holds" not in seen["all of it is sold, by the exchange's journal"]
    assert "bob_kraken" in seen["the command says so of each account"]


def test_an_order_whose_outcome_stays_unknown_fails_the_drill(
    operator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copied, "ANSWER_SECONDS", 5.0)
    seen = failed("lost-reply", nothing_is_found, operator, REST_ALONE)
    assert any(text.startswith("every user has answered") for text in seen), seen
    assert "the reply to bob's order is lost" not in seen, "the fault itself came about"


@pytest.mark.skipif(not os.environ.get("NIJA_DRILLS"), reason="all drills take two minutes: set NIJA_DRILLS=1")
@pytest.mark.parametrize("brokerage", ["kraken", "coinbase", "okx", "binance", "alpaca"])
def test_every_drill_passes_at_every_brokerage_with_the_configuration_as_it_is_shipped(
    operator: dict[str, str], brokerage: str
) -> None:
    environ = operator | {"NIJA_CONFIG_DIR": str(ROOT / "config")}
    done = subprocess.run(
        [sys.executable, "bot.py", "drill", "all", "--brokerage", brokerage, "--json"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    tried = {drill["drill"] for drill in json.loads(done.stdout)["drills"]}
    assert tried == {drill.name for drill in DRILLS.values() if drill.only in ("", brokerage)}
