"""`python bot.py config show`: complete, true about sources, silent about secrets."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.diagnostics import config_show
from bot.domain.account import BrokerType
from bot.settings import Settings, load_settings
from bot.settings.model import OperatorSettings
from bot.settings.origins import dotted, leaves

PROJECT = Path(__file__).parents[3]
SECRET = base64.b64encode(bytes(range(64))).decode()
OTHER_SECRET = base64.b64encode(bytes(range(64, 128))).decode()
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTWXYZ"[:56]
MASTER = {"KRAKEN_MASTER_API_KEY": KEY, "KRAKEN_MASTER_API_SECRET": SECRET}


def loaded(tmp_path: Path, environ: Mapping[str, str], yaml: str = "") -> Settings:
    users = tmp_path / "config" / "users"
    users.mkdir(parents=True, exist_ok=True)
    (tmp_path / "config" / "nija.yaml").write_text(yaml)
    user: dict[str, object] = {
        "user_id": "ann_lee",
        "name": "Ann [bold]",
        "account_type": "retail",
        "broker_type": "kraken",
    }
    user |= {"enabled": True, "description": "", "paper_balance": 250}
    (users / "retail_kraken.json").write_text(json.dumps([user]))
    return load_settings(environ=environ, config_dir=tmp_path / "config")


def shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environ: Mapping[str, str], yaml: str = ""
) -> tuple[int, dict[str, Any]]:
    code = config_show.run(loaded(tmp_path, environ, yaml), as_json=True, environ=environ)
    return code, json.loads(capsys.readouterr().out)


def test_every_setting_is_shown_with_value_unit_and_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"NIJA__KRAKEN__READ_TIMEOUT_SECONDS": "7.5"}
    code, said = shown(tmp_path, capsys, environ, "minimum_funded_usd: 25\n")
    assert code == 0
    rows = {row["name"]: row for row in said["settings"]}
    assert list(rows) == [dotted(location) for location, _, _ in leaves(OperatorSettings())]
    timeout, minimum = rows["kraken.read_timeout_seconds"], rows["minimum_funded_usd"]
    assert (timeout["value"], timeout["unit"]) == ("7.5", "seconds")
    assert timeout["source"] == "environment NIJA__KRAKEN__READ_TIMEOUT_SECONDS"
    assert (minimum["value"], minimum["unit"], minimum["source"]) == ("25", "usd", "config/nija.yaml:1")
    assert rows["shutdown_seconds"]["source"] == "default"


def test_the_table_has_every_value_and_takes_brackets_literally(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = loaded(tmp_path, {}, "copying: {allow_symbols: [BTC/USD, ETH/USD]}\n")
    assert config_show.run(settings, as_json=False, environ={}) == 0
    text = capsys.readouterr().out
    for name, origin in settings.origins.items():
        row = next(line for line in text.splitlines() if f" {name} " in line)
        assert origin.source in row
        assert origin.value_text in row
    assert "[BTC/USD, ETH/USD]" in text
    assert "Ann [bold]" in text
    assert "KRAKEN_USER_ANN_LEE_API_SECRET unset" in text


@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_ever_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    environ = {**MASTER, "PAPER_EXCHANGE_TOKEN": "open-sesame-open-sesame", "KRAKEN_USER_ANN_API_SECRET": OTHER_SECRET}
    config_show.run(loaded(tmp_path, environ), as_json=as_json, environ=environ)
    said = capsys.readouterr()
    for secret in (KEY, SECRET, OTHER_SECRET, "open-sesame"):
        assert secret[:12] not in said.out + said.err
    assert f"****{KEY[-4:]}" in said.out
    assert "****same" in said.out


def test_each_account_says_what_it_looks_for_and_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = shown(tmp_path, capsys, {**MASTER, "KRAKEN_USER_ANN_API_KEY": "  "})
    accounts = {account["account"]: account for account in said["accounts"]}
    assert code == 0
    assert list(accounts) == ["kraken", "coinbase", "okx", "binance", "alpaca", "ann_lee_kraken"]
    assert accounts["kraken"]["key"] == f"****{KEY[-4:]}"
    assert accounts["coinbase"]["key"] is None
    states = {variable["name"]: variable["state"] for variable in accounts["ann_lee_kraken"]["variables"]}
    assert states == {
        "KRAKEN_USER_ANN_LEE_API_KEY": "unset",
        "KRAKEN_USER_ANN_API_KEY": "blank",
        "KRAKEN_USER_ANN_LEE_API_SECRET": "unset",
        "KRAKEN_USER_ANN_API_SECRET": "unset",
    }


def test_a_key_that_cannot_be_used_is_named_and_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = shown(tmp_path, capsys, {"KRAKEN_MASTER_API_KEY": KEY})
    assert code == 1
    (problem,) = said["accounts"][0]["problems"]
    assert "KRAKEN_MASTER_API_SECRET" in problem


def test_a_key_of_two_accounts_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = {**MASTER, "KRAKEN_USER_ANN_API_KEY": KEY, "KRAKEN_USER_ANN_API_SECRET": SECRET}
    code, said = shown(tmp_path, capsys, both)
    assert (code, said["shared_keys"]) == (
        1,
        ["kraken and ann_lee_kraken have the same key; each account needs its own"],
    )


def test_a_name_that_nothing_reads_is_reported_with_its_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = shown(tmp_path, capsys, {"KRAKEN_MASTER_APIKEY": KEY, "NIJA_FAILPOINT": "", "METRICS_PORT": "1"})
    assert code == 0
    assert [text.split(" ")[0] for text in said["unknown_variables"]] == ["KRAKEN_MASTER_APIKEY", "NIJA_FAILPOINT"]
    assert "did you mean KRAKEN_MASTER_API_KEY?" in said["unknown_variables"][0]


def test_the_command_prints_the_shipped_configuration_and_refuses_a_broken_one(tmp_path: Path) -> None:
    # A copy, because beside the original there may be a developer's .env.
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    good = _command(tmp_path / "config")
    (tmp_path / "config" / "nija.yaml").write_text("metrics_prot: 1\n")
    broken = _command(tmp_path / "config")
    assert good.returncode == 0, good.stderr
    users = [user["account"] for user in json.loads(good.stdout)["users"]]
    assert users == [
        f"{name}_{broker}" for broker in sorted(BrokerType) for name in ("daivon_frazier", "tania_gilbert")
    ]
    sentence = "config/nija.yaml:1: metrics_prot is not a setting; did you mean metrics_port?"
    assert broken.returncode == 2
    assert json.loads(broken.stdout)["problems"] == [sentence]
    assert "Traceback" not in broken.stderr


def _command(config_dir: Path) -> subprocess.CompletedProcess[str]:
    ours = ("NIJA", "KRAKEN_", "COINBASE_", "PAPER_", "TRADING_MODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, str(PROJECT / "bot.py"), "config", "show", "--json"],
        env={**kept, "NIJA_CONFIG_DIR": str(config_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
