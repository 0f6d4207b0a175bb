"""`python bot.py backtest` and `data`, as a person types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.app import main
from tests.exchange_process import ExchangeProcess


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIJA_DATA_DIR", str(tmp_path))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_generated_market_is_written_checked_and_traded_with_users_a_page_and_a_sheet(run: Any) -> None:
    assert run("data", "generate", "7:1:BTC/USD", "--out", "c.csv")[0] == 0
    code, out, _ = run("data", "check", "c.csv", "--json")
    assert code == 0 and json.loads(out)["symbols"][0]["candles"] == 1440
    words = ("backtest", "--data", "c.csv", "--users", "2", "--html", "b.html", "--csv", "t.csv")
    code, out, _ = run(*words)
    assert code == 0 and "P&L after fees" in out and "user_2" in out
    page = Path("b.html").read_text()
    assert "<script" not in page and "http" not in page.replace("http-equiv", "") and "Trades on the price" in page
    assert Path("t.csv").read_text().startswith("account,symbol,opened_at")
    code, out, _ = run(*words, "--json")
    shown = json.loads(out)
    assert shown["master"]["trades"] > 5 and len(shown["users"]) == 2
    assert run(*words, "--json")[1] == out  # the same words, the same result


def test_parameters_chosen_on_what_is_shown_are_warned_about_and_walked_forward_they_are_not(run: Any) -> None:
    chosen = ("backtest", "--data", "generated:7:1:BTC/USD", "--interval", "5", "--optimise", "rsi_fast=5,9", "--json")
    alone = json.loads(run(*chosen)[1])
    assert "best of 2 on the very candles" in alone["warnings"][0]
    forward = json.loads(run(*chosen, "--walk-forward", "2")[1])
    assert not forward["warnings"]
    first, second = forward["walk_forward"]
    assert first["out_of_sample"]["begin"] == second["chosen_on"]["begin"] > first["chosen_on"]["begin"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "none.csv"), "none.csv cannot be read"),
        (("--data", "generated:1:1", "--strategy", "nope"), "there is no strategy 'nope'"),
        (("--data", "generated:1:1", "--parameters", "rsi_fast=99999"), "rsi_fast is 99999"),
        (("--data", "generated:1:1:BTC/USD", "--latency", "40"), "latency"),
        (("--data", "generated:1:1:BTC/USD", "--users", "nowhere"), "neither a number"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(run: Any, words: tuple[str, ...], said: str) -> None:
    code, _, err = run("backtest", *words)
    assert code == 2 and said in err and "Traceback" not in err


def test_without_a_network_fetching_says_so_and_what_to_do(run: Any) -> None:
    words = ("data", "fetch", "kraken", "BTC/USD", "--out", "c.csv", "--url", "http://127.0.0.1:9")
    code, _, err = run(*words)
    assert code == 1 and "cannot be reached" in err and "data generate" in err


def test_every_venues_pages_are_put_together_from_its_own_endpoints(run: Any, tmp_path: Path) -> None:
    with ExchangeProcess(state=tmp_path / "exchange", seed=3) as there:
        found = {}
        for venue, symbol in (
            ("kraken", "BTC/USD"),
            ("coinbase", "BTC/USD"),
            ("binance", "BTC/USDT"),
            ("okx", "BTC/USDT"),
        ):
            words = ("data", "fetch", venue, symbol, "--out", f"{venue}.csv", "--url", there.rest_url(venue))
            code, out, err = run(*words, "--json")
            assert code == 0, err
            found[venue] = json.loads(out)["symbols"][0]
    assert found["kraken"]["candles"] in (719, 720)  # all that Kraken shows of the past
    for venue in ("coinbase", "binance", "okx"):
        assert found[venue]["candles"] in (1439, 1440) and found[venue]["missing"] == 0
