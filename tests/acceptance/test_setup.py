"""From nothing to a copied fill: `init` makes the configuration, a bot trades with it, the added user copies."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bot_process import ROOT, BotProcess, environment, wait_until


def command(environ: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "bot.py", *words],
        cwd=ROOT,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config").mkdir()
    return environment(tmp_path / "state", NIJA_CONFIG_DIR=str(tmp_path / "config"))


def test_init_makes_a_configuration_that_trades_and_its_user_copies(tmp_path: Path, environ: dict[str, str]) -> None:
    made = command(
        environ, "init", "--yes", "--broker", "kraken", "--mode", "paper", "--json",
        "--user", "anna_lee:kraken:retail:Anna Lee:2500", "--max-positions", "3", "--run-seconds", "120",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert list(said["paper_run"]["copied"]) == ["kraken"]
    assert "copied: anna_lee " in said["paper_run"]["copied"]["kraken"]
    assert [Path(path).name for path in said["written"]] == ["retail_kraken.json", "nija.yaml"]
    assert not (tmp_path / "state").exists(), "the first run has books of its own, which are thrown away"

    added = command(environ, "init-user", "bo", "--broker", "kraken", "--class", "investor", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["variables"] == ["KRAKEN_USER_BO_API_KEY", "KRAKEN_USER_BO_API_SECRET"]
    again = command(environ, "init-user", "bo", "--broker", "kraken", "--class", "investor")
    assert again.returncode == 2
    assert "bo at kraken is there already: config/users/investor_kraken.json:2" in again.stderr

    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        for user in ("anna_lee", "bo"):
            bot.says(f"{user}_kraken: buy ", seconds=120)
        wait_until(
            lambda: {"anna_lee", "bo"} <= copiers(bot), seconds=120, what="both users have copied the master's entry"
        )
        shown = json.loads(bot.command("bot.py", "init-user", "eve", "--broker", "kraken", "--json").stdout)
        assert bot.stop() == 0
    assert shown["why"].startswith("which would have copied 9 in 10 of the master's last")


def copiers(bot: BotProcess) -> set[str]:
    return {user["user_id"] for signal in bot.copies() for user in signal["users"] if user["status"] == "copied"}


def test_keys_of_a_file_are_checked_and_only_then_taken_over(environ: dict[str, str], tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text(f"KRAKEN_MASTER_API_KEY={'k' * 56}\nKRAKEN_MASTER_API_SECRET={'A' * 86}\n")
    asked = ("init", "--yes", "--broker", "kraken", "--mode", "live", "--env-file", str(keys), "--offline", "--no-run")
    refused = command(environ, *asked)
    assert refused.returncode == 2
    assert "KRAKEN_MASTER_API_SECRET lacks the == at its end" in refused.stderr
    assert list((tmp_path / "config").iterdir()) == []
    keys.write_text(f"KRAKEN_MASTER_API_KEY={'k' * 56}\nKRAKEN_MASTER_API_SECRET={'A' * 86}==\n")
    taken = command(environ, *asked)
    assert taken.returncode == 0, taken.stderr
    assert "A" * 20 not in taken.stdout + taken.stderr
    assert (tmp_path / ".env").read_text() == keys.read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
