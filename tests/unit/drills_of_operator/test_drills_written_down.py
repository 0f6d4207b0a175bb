"""When drills were last tried: rows, the command that lists them, and the line of the page."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.diagnostics.drills import last
from bot.diagnostics.drills.catalogue import DRILLS
from bot.diagnostics.drills.finding import Finding
from bot.domain.account import BrokerType
from bot.settings import Settings, load_settings
from bot.storage.drill_runs import KEPT_OF_EACH, DrillRun, add_run, last_runs
from tests.stored_bot import StoredBot, now, write_configuration


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[StoredBot]:
    stored = StoredBot(tmp_path)
    yield stored
    stored.store.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={"STATE_DIR": str(tmp_path)}, config_dir=write_configuration(tmp_path))


def finding(name: str, *, passed: bool) -> Finding:
    made = Finding(name, lambda _text: None, seconds=7.5)
    made.check("it is sold", True, "nobody holds any", seconds=1.2, headline="all sold after 1.2 s")
    made.check("it goes on", passed, "it stands still")
    return made


def row(name: str, *, passed: bool = True, ago: float = 0.0) -> DrillRun:
    detail = json.dumps({"brokerage": "kraken", "headline": "", "steps": []})
    moment = now() - timedelta(seconds=ago)
    return DrillRun(name=name, at=moment, build="abc", passed=passed, milliseconds=1, detail_json=detail)


def test_a_drill_is_written_down_with_its_steps_and_the_build_and_listed_by_its_newest(
    bot: StoredBot, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for passed in (True, False):
        assert last.store(settings, finding("flatten", passed=passed), BrokerType.OKX) == ""
    assert last.show(settings, as_json=True) == 1
    listed = {each["drill"]: each for each in json.loads(capsys.readouterr().out)["drills"]}
    assert list(listed) == list(DRILLS)
    assert listed["kill"]["at"] is None
    shown = listed["flatten"]
    assert (shown["passed"], shown["brokerage"], shown["seconds"]) == (False, "okx", 7.5)
    assert shown["failed"] == ["it goes on: it stands still"]
    assert shown["build"]
    assert last.show(settings, as_json=False) == 1
    assert "FAILED: it goes on" in " ".join(capsys.readouterr().out.split())


def test_the_list_is_well_once_all_that_was_tried_has_passed(bot: StoredBot, settings: Settings) -> None:
    assert last.show(settings, as_json=True) == 1, "nothing was ever tried"
    last.store(settings, finding("flatten", passed=False), BrokerType.KRAKEN)
    last.store(settings, finding("flatten", passed=True), BrokerType.KRAKEN)
    assert last.show(settings, as_json=True) == 0


def test_without_a_store_the_reason_is_said_and_nothing_is_made(tmp_path: Path, settings: Settings) -> None:
    assert "has not run yet" in last.store(settings, finding("kill", passed=True), BrokerType.KRAKEN)
    assert not (tmp_path / "nija.db").exists()


def test_old_runs_of_a_drill_are_forgotten_and_those_of_another_are_not(bot: StoredBot) -> None:
    bot.store.write(lambda connection: add_run(connection, row("kill", ago=1000)))
    for _ in range(KEPT_OF_EACH + 3):
        bot.store.write(lambda connection: add_run(connection, row("hang")))
    counts = "SELECT name, count(*) AS n FROM drill_run GROUP BY name"
    with bot.store.read() as connection:
        found = {each.name: each.n for each in connection.exec_driver_sql(counts)}
    assert found == {"kill": 1, "hang": KEPT_OF_EACH}


def test_the_line_of_the_page_names_what_failed_last_or_how_many_passed(bot: StoredBot) -> None:
    def said() -> tuple[object, str]:
        with bot.store.read() as connection:
            summary = last.summary(connection, now())
        return summary["passed"], str(summary["text"])

    assert said() == (None, "never drilled")
    bot.store.write(lambda connection: add_run(connection, row("hang", ago=7500)))
    assert said() == (True, f"drilled 2 h ago: 1 of {len(DRILLS)} drills passed")
    bot.store.write(lambda connection: add_run(connection, row("kill", passed=False, ago=300)))
    assert said() == (False, "drilled 5 min ago: FAILED: kill")
    with bot.store.read() as connection:
        assert [each.name for each in last_runs(connection)] == ["hang", "kill"]
