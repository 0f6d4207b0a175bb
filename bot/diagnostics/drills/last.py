"""When each drill was last tried in this installation, and how it ended: written after each, shown by `--last`."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.build import build_id
from bot.diagnostics.drills.catalogue import DRILLS
from bot.diagnostics.drills.finding import Finding
from bot.diagnostics.listing import age, cannot_read, paper, print_json, seconds_since, since, time_text
from bot.diagnostics.store_reading import NoStore, bot_state, now, read_store
from bot.diagnostics.store_writing import write_store
from bot.diagnostics.terminal import table
from bot.domain.account import BrokerType
from bot.settings import Settings
from bot.storage.drill_runs import DrillRun, add_run, last_runs


def store(settings: Settings, finding: Finding, brokerage: BrokerType) -> str:
    """Write it into the operator's own store; returns why that was not possible, or nothing."""
    try:
        with write_store(settings) as connection:
            add_run(connection, _row(finding, brokerage, now(settings)))
    except NoStore as error:
        return str(error)
    return ""


def _row(finding: Finding, brokerage: BrokerType, moment: datetime) -> DrillRun:
    detail = {
        "brokerage": str(brokerage),
        "headline": finding.headline,
        "steps": [step.as_json() for step in finding.steps],
    }
    return DrillRun(
        name=finding.name,
        at=moment,
        build=build_id(),
        passed=finding.passed,
        milliseconds=round(finding.seconds * 1000),
        detail_json=json.dumps(detail),
    )


def show(settings: Settings, *, as_json: bool) -> int:
    """0 = each that was ever tried has passed the last time, 1 = one has not, or none was ever tried."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            runs, state = last_runs(connection), bot_state(connection, now=moment)
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.SOMETHING_WRONG, empty={"drills": []})
    by_name = {run.name: run for run in runs}
    if as_json:
        print_json(state, drills=[as_fields(name, by_name.get(name), moment) for name in DRILLS])
    else:
        _print(by_name, moment)
    return exit_codes.OK if runs and all(run.passed for run in runs) else exit_codes.SOMETHING_WRONG


def summary(connection: Connection, moment: datetime) -> dict[str, Any]:
    """One line for a page: when a drill was last tried, and how many of those that were ever tried passed."""
    runs = [run for run in last_runs(connection) if run.name in DRILLS]
    if not runs:
        return {"at": None, "passed": None, "text": "never drilled"}
    newest, failed = max(run.at for run in runs), [run.name for run in runs if not run.passed]
    how = f"FAILED: {', '.join(failed)}" if failed else f"{len(runs)} of {len(DRILLS)} drills passed"
    return {"at": time_text(newest), "passed": not failed, "text": f"drilled {age(newest, moment)} ago: {how}"}


def as_fields(name: str, run: DrillRun | None, moment: datetime) -> dict[str, Any]:
    """For JSON; a drill that was never tried has nulls."""
    if run is None:
        return {"drill": name, "at": None, "age_seconds": None, "passed": None, "build": None, "failed": []}
    detail = json.loads(run.detail_json)
    return {
        "drill": name,
        "at": time_text(run.at),
        "age_seconds": seconds_since(run.at, moment),
        "passed": run.passed,
        "build": run.build,
        "brokerage": detail["brokerage"],
        "seconds": run.milliseconds / 1000,
        "headline": detail["headline"],
        "failed": [f"{step['expected']}: {step['seen']}" for step in detail["steps"] if not step["passed"]],
    }


def _print(by_name: dict[str, DrillRun], moment: datetime) -> None:
    console = paper()
    shown = table(console, "Drills", "drill", "last tried (UTC)", "ended", "at", "took", "build")
    for name in DRILLS:
        fields = as_fields(name, by_name.get(name), moment)
        if fields["at"] is None:
            shown.add_row(name, "never", "", "", "", "")
            continue
        ended = "passed" if fields["passed"] else "FAILED: " + "; ".join(fields["failed"])
        took = f"{fields['seconds']:.0f} s"
        shown.add_row(name, since(by_name[name].at, moment), ended, fields["brokerage"], took, fields["build"])
    console.print(shown)
    console.print("To try one: python bot.py drill NAME; all of them: python bot.py drill all")
