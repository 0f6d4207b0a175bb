"""Doctor as an operator meets it: venues with faults, keys with defects, and a bot whose keys it leaves alone."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_bad_input import keys_of
from tests.bot_process import BotProcess, environment
from tests.exchange_process import ExchangeProcess, PaperAccount
from tests.stored_bot import run_script

VENUES = ("kraken", "coinbase", "okx", "binance", "alpaca")
REGION = "Service unavailable from a restricted location"


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess(seed=7) as process:
        yield process


def configuration(directory: Path) -> dict[str, str]:
    """Five masters, and one user at Kraken."""
    (directory / "config" / "users").mkdir(parents=True)
    masters = "".join(f"  - broker: {venue}\n" for venue in VENUES)
    (directory / "config" / "nija.yaml").write_text(f"masters:\n{masters}")
    ann = {"user_id": "ann", "name": "Ann", "account_type": "retail", "broker_type": "kraken", "enabled": True}
    (directory / "config" / "users" / "retail_kraken.json").write_text(json.dumps([ann]))
    return {"NIJA_CONFIG_DIR": str(directory / "config")}


def venues_of(exchange: ExchangeProcess) -> dict[str, str]:
    """Live addresses that are those of the exchange, sockets and all."""
    environ = {"NIJA__KRAKEN__WEBSOCKET_URL": exchange.addresses["kraken"]["ws"]}
    environ |= {"NIJA__KRAKEN__ORDER_ENTRY": "websocket", "NIJA__KRAKEN__PRIVATE_STREAM": "true"}
    for venue in VENUES:
        private = "WEBSOCKET_AUTH_URL" if venue == "kraken" else "WEBSOCKET_URL"
        environ[f"NIJA__{venue.upper()}__REST_URL"] = exchange.rest_url(venue)
        environ[f"NIJA__{venue.upper()}__{private}"] = exchange.addresses[venue]["ws_auth"]
    return environ


def cash_of(venue: str, amount: str = "10000") -> dict[str, str]:
    return {"USDT" if venue in ("okx", "binance") else "USD": amount}


def variables_of(prefix: str, account: PaperAccount) -> dict[str, str]:
    phrase = {f"{prefix}_API_PASSPHRASE": account.api_passphrase} if account.api_passphrase else {}
    return keys_of(prefix, account) | phrase


def write_dotenv(directory: Path, keys: Mapping[str, str]) -> None:
    """As an operator does: between double quotes where a value has lines."""
    path = directory / ".env"
    lines = [f'{name}="{value}"' if "\n" in value else f"{name}={value}" for name, value in keys.items()]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


class Doctor:
    """What one run of it said."""

    def __init__(self, environ: Mapping[str, str], *words: str) -> None:
        begun = time.monotonic()
        done = run_script("bot.py", "doctor", *words, "--json", environ=environ)
        self.seconds = time.monotonic() - begun
        self.code, self.text = done.returncode, done.stdout + done.stderr
        assert "Traceback" not in self.text, self.text
        self.document: dict[str, Any] = json.loads(done.stdout)

    def under(self, title: str) -> dict[str, dict[str, str]]:
        """The findings of one section by their codes; of several with one code the last."""
        return {
            finding["code"]: finding
            for section in self.document["sections"]
            if section["title"] == title
            for finding in section["findings"]
        }

    def texts(self, title: str) -> list[str]:
        return [one["text"] for part in self.document["sections"] if part["title"] == title for one in part["findings"]]

    def bad(self) -> set[tuple[str, str]]:
        return {
            (section["title"], finding["code"])
            for section in self.document["sections"]
            for finding in section["findings"]
            if finding["level"] == "bad"
        }


def test_each_defect_is_found_under_its_code_and_what_doctor_says_repairs_a_key(
    tmp_path: Path, exchange: ExchangeProcess
) -> None:
    keys: dict[str, str] = {}
    for venue in VENUES:
        keys |= variables_of(f"{venue.upper()}_MASTER", exchange.open_account(venue, "doctor", cash_of(venue)))
    poor = exchange.open_account("okx", "poor", cash_of("okx", "3"))
    few = exchange.open_account("kraken", "few", {"USD": "1000"}, permissions=["query-funds"])
    good = dict(keys)
    # A misspelt name, a torn secret, somebody else's secret, a right that is missing, an account without money.
    write_dotenv(
        tmp_path,
        keys
        | {"COINBASE_MSTER_API_KEY": keys["COINBASE_MASTER_API_KEY"]}
        | {"KRAKEN_MASTER_API_SECRET": keys["KRAKEN_MASTER_API_SECRET"][:40]}
        | {"ALPACA_MASTER_API_SECRET": keys["BINANCE_MASTER_API_SECRET"][:40]}
        | variables_of("OKX_MASTER", poor)
        | variables_of("KRAKEN_USER_ANN", few),
    )
    environ = environment(tmp_path / "state", None, **configuration(tmp_path)) | venues_of(exchange)
    region = {"kind": "accept_then_5xx", "status": 451, "text": REGION}
    exchange.fault(region, times=None, brokerage="binance")
    exchange.fault("hang", times=None, brokerage="coinbase", endpoint="time")
    sick = Doctor(environ, "--live")
    assert sick.code == 1
    assert sick.seconds < 60
    assert sick.bad() == {
        ("keys", "KEY-04"),
        ("binance", "VEN-03"),
        ("coinbase", "VEN-07"),
        ("alpaca (master)", "ACC-01"),
        ("okx (master)", "ACC-06"),
        ("okx", "ACC-10"),
        ("ann_kraken", "ACC-02"),
    }
    assert REGION in sick.under("binance")["VEN-03"]["text"]
    assert "KRAKEN_MASTER_API_SECRET" in sick.under("keys")["KEY-04"]["text"]
    assert "COINBASE_MASTER_API_KEY" in sick.under("keys")["KEY-08"]["fix"]
    assert "modify-trades" in sick.under("ann_kraken")["ACC-02"]["text"]
    assert not any(value in sick.text for value in (*good.values(), few.api_secret, poor.api_secret))
    # What it said to do: copy the secrets again, use a key with all rights, pay in; the faults are over.
    exchange.clear_faults()
    write_dotenv(
        tmp_path, good | variables_of("KRAKEN_USER_ANN", exchange.open_account("kraken", "ann", {"USD": "1000"}))
    )
    well = Doctor(environ, "--live")
    assert (well.bad(), well.code) == (set(), 0), well.text
    for venue in VENUES:
        smoke = well.under(venue) | well.under(f"{venue} (master)")
        assert {smoke[code]["level"] for code in ("ACC-06", "ACC-07", "ACC-08", "ACC-09")} == {"ok"}
        assert smoke["VEN-05"]["level"] == ("note" if venue in ("coinbase", "alpaca") else "ok")
        assert smoke["VEN-08"]["level"] == ("ok" if venue == "kraken" else "note")
    assert exchange.journal(type="accept") == []


def test_a_running_bot_keeps_its_keys_and_doctor_shows_what_it_saw(tmp_path: Path, exchange: ExchangeProcess) -> None:
    # The venues' clocks are two minutes later than this machine's now; the bot bears that, and doctor tells it.
    exchange.advance_clock(120)
    environ = environment(tmp_path / "state", exchange)
    with BotProcess(environ, log=tmp_path / "out.txt") as bot:
        bot.says("kraken cycle completed successfully", seconds=120)
        beside = Doctor(environ, "kraken")
        assert bot.stop() == 0
    accounts = beside.under("accounts")
    assert "uses the keys" in accounts["ACC-12"]["text"]
    assert any(text.startswith("kraken") for text in beside.texts("accounts")), beside.text
    assert beside.under("kraken")["VEN-01"]["level"] == "ok"
    assert ("kraken", "VEN-04") in beside.bad()
    titles = {section["title"] for section in beside.document["sections"]}
    # No key was tried, and nobody was asked but the venue that was named.
    assert titles.isdisjoint({"kraken (master)", "coinbase"})
