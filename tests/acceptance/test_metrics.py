"""What /metrics says of a running bot, held against its log, its answers and the exchange; and that no secret shows."""

import json
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from bot.diagnostics.alert_causes import CAUSES
from tests.bot_process import BotProcess, environment, wait_until
from tests.exchange_process import ExchangeProcess

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
ACCOUNTS = {
    "kraken",
    "coinbase",
    *(f"{name}_{broker}" for name in ("daivon_frazier", "tania_gilbert") for broker in ("kraken", "coinbase")),
}
UNREADABLE = "tania_gilbert_kraken"
STATES = {"starting", "healthy", "degraded", "failed", "quarantined", "stopped"}
# The only labels there are; `le` is the histogram's own.
LABELS = {
    "account", "state", "phase", "result", "endpoint", "outcome", "urgency", "broker", "kind", "status", "reason",
    "why", "scope", "target", "strength", "cause", "channel", "level", "le", "build", "configuration",
}  # fmt: skip
# Of one process one value each: what it is, in hexadecimal digits.
DIGESTS = {"build", "configuration"}


@dataclass
class Scene:
    bot: BotProcess
    exchange: ExchangeProcess
    state: Path
    url: str

    def text(self) -> str:
        with requests.Session() as session:
            session.trust_env = False
            response = session.get(self.url, timeout=10)
        response.raise_for_status()
        return response.text

    def samples(self) -> Samples:
        families = text_string_to_metric_families(self.text())
        return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over all series of this name that have these labels."""
    return sum(value for (found, has), value in samples.items() if found == name and set(labels.items()) <= has)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A bot that has copied at both brokerages, with one user whose balance cannot be read."""
    directory = tmp_path_factory.mktemp("metrics")
    state = directory / "state"
    with ExchangeProcess(seed=7) as exchange:
        exchange.fault({"kind": "body", "text": "<html>"}, times=None, account="tania_gilbert", endpoint="BalanceEx")
        environ = environment(state, exchange, NIJA__PACE__PAPER__CYCLE_SECONDS="0.5", LOG_LEVEL="DEBUG")
        with BotProcess(environ, log=directory / "out.txt") as bot:
            for label in ACCOUNTS - {"kraken", "coinbase", UNREADABLE}:
                bot.says(f"{label}: buy ", seconds=60)
            bot.says(f"{UNREADABLE}: skipped", seconds=60)
            match = re.search(r"Metrics at (\S+)", bot.log())
            assert match
            yield Scene(bot, exchange, state, match[1])


def test_every_account_is_in_exactly_one_state_of_health(scene: Scene) -> None:
    samples = scene.samples()
    for account in ACCOUNTS:
        states = {word: total(samples, "nija_account_health", account=account, state=word) for word in STATES}
        assert sum(states.values()) == 1
    assert total(samples, "nija_account_health", account=UNREADABLE, state="degraded") == 1
    assert total(samples, "nija_account_health", state="healthy") == len(ACCOUNTS) - 1


def test_cycles_are_counted_per_account_as_the_log_shows_them(scene: Scene) -> None:
    def logged() -> dict[str, int]:
        log = scene.bot.log()
        return {name: len(re.findall(rf"\] {name} cycle completed successfully", log)) for name in ACCOUNTS}

    wait_until(
        lambda: total(scene.samples(), "nija_cycle_seconds_count", account="kraken") > 0,
        seconds=60,
        what="a cycle of kraken",
    )
    before, samples, after = logged(), scene.samples(), logged()
    for name in ACCOUNTS:
        # The line is written just before the count.
        assert before[name] - 1 <= total(samples, "nija_cycles_total", account=name) <= after[name]
    assert after["kraken"] > 0
    assert after[UNREADABLE] == 0


def test_private_calls_are_counted_by_endpoint_and_outcome(scene: Scene) -> None:
    samples = scene.samples()
    assert total(samples, "nija_private_calls_total", account="kraken", endpoint="AddOrder") >= 1
    assert total(samples, "nija_private_calls_total", account=UNREADABLE, endpoint="BalanceEx") >= 1
    sent = [line for line in scene.exchange.journal(type="request", account="master") if line["endpoint"] == "AddOrder"]
    assert 1 <= total(samples, "nija_private_calls_total", account="kraken", endpoint="AddOrder") <= len(sent)
    assert total(samples, "nija_private_call_seconds_count", account="coinbase") >= 1


def test_the_nonce_shown_is_one_the_exchange_has_seen_or_will(scene: Scene) -> None:
    shown = total(scene.samples(), "nija_kraken_nonce", account="kraken")
    lines = scene.exchange.journal(type="request", brokerage="kraken", account="master")
    nonces = [int(line["nonce"]) for line in lines if line["nonce"]]
    # A float keeps 53 bits of it.
    assert nonces[0] - 1024 <= shown <= nonces[-1] + 1024


def test_the_age_of_a_balance_is_seconds_or_not_a_number(scene: Scene) -> None:
    samples = scene.samples()
    assert 0 <= total(samples, "nija_balance_age_seconds", account="kraken") < 60
    unread = total(samples, "nija_balance_age_seconds", account=UNREADABLE)
    assert unread != unread


def test_signals_and_copies_are_counted_by_result_and_timed(scene: Scene) -> None:
    def counted() -> tuple[dict[tuple[str, str, str], int], float]:
        samples = scene.samples()
        copies = {
            (labels["account"], labels["status"], labels["reason"]): int(value)
            for (name, has), value in samples.items()
            if name == "nija_copies_total" and (labels := dict(has))
        }
        return copies, total(samples, "nija_signals_total")

    def agree() -> bool:
        """The bot trades on, so what is read lies between the figures before and after it."""
        before, signals_before = counted()
        signals = scene.bot.copies()
        after, signals_after = counted()
        users = [one for shown in signals for one in shown["users"] if one["status"] != "planned"]
        answered = Counter((one["account_id"], one["status"], one["reason"]) for one in users)
        keys = answered.keys() | before.keys() | after.keys()
        between = all(before.get(key, 0) <= answered[key] <= after.get(key, 0) for key in keys)
        return between and signals_before <= len(signals) <= signals_after

    wait_until(agree, seconds=30, what="the figures and `bot.py copies` agree")
    samples = scene.samples()
    assert total(samples, "nija_copies_total", account=UNREADABLE, status="skipped", reason="balance_unknown") >= 1
    assert total(samples, "nija_copy_seconds_count", account="daivon_frazier_kraken") >= 1
    quick = total(samples, "nija_copy_seconds_bucket", account="daivon_frazier_kraken", le="10.0")
    assert quick >= 1


def test_labels_are_accounts_and_words_never_amounts_or_keys(scene: Scene) -> None:
    for _, labels in scene.samples():
        for name, value in labels:
            assert name in LABELS
            assert name == "le" or name in DIGESTS or not re.search(r"\d{2,}", value)
            assert name != "account" or value in ACCOUNTS


def test_what_the_process_takes_and_what_is_open_shows(scene: Scene) -> None:
    samples = scene.samples()
    assert total(samples, "nija_build_info") == 1
    assert total(samples, "nija_threads") > len(ACCOUNTS)
    assert total(samples, "process_resident_memory_bytes") > 10_000_000
    assert total(samples, "nija_store_bytes") >= (scene.state / "nija.db").stat().st_size > 0
    assert total(samples, "nija_disk_free_bytes") > 0
    assert {labels for name, labels in samples if name == "nija_alerts"} == {
        frozenset({("cause", cause)}) for cause in CAUSES
    }
    worse = len(re.findall(r"^\S+ \S+ (?:WARNING|ERROR|CRITICAL) ", scene.bot.log(), re.MULTILINE))
    assert total(scene.samples(), "nija_log_lines_total") >= worse


def test_no_key_and_no_token_is_written_or_shown_anywhere(scene: Scene) -> None:
    secrets = {scene.exchange.token}
    for account in scene.exchange.accounts():
        opened = scene.exchange.open_account(account["brokerage"], account["name"])
        secrets |= {opened.api_key, *(line for line in opened.api_secret.splitlines() if "-----" not in line)}
    shown = {"metrics": scene.text().encode()}
    shown["command line"] = Path(f"/proc/{scene.bot.process.pid}/cmdline").read_bytes()
    for words in (("check_broker_status.py",), ("check_kraken_status.py", "--json"), ("bot.py", "config", "show")):
        done = scene.bot.command(*words)
        shown[" ".join(words)] = (done.stdout + done.stderr).encode()
    shown["copies"] = json.dumps(scene.bot.copies()).encode()
    shown["output"] = scene.bot.log().encode()
    shown |= {str(path): path.read_bytes() for path in scene.state.rglob("*") if path.is_file()}
    assert {"nija.db", "nija.log"} <= {Path(name).name for name in shown}
    for place, text in shown.items():
        for secret in secrets:
            assert secret.encode() not in text, place
    assert stat.S_IMODE(scene.state.stat().st_mode) == 0o700
