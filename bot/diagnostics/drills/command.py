"""`python bot.py drill`: failures made on purpose, away from everything that trades."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot import exit_codes
from bot.diagnostics.command_line import Commands, add_command
from bot.diagnostics.drills import last
from bot.diagnostics.drills.catalogue import ALL, DRILLS, Drill
from bot.diagnostics.drills.finding import Finding, NotPossible
from bot.diagnostics.drills.shown import print_findings
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError, UnreadableReply
from bot.settings import Settings
from bot.settings.loading import config_directory, process_environment


def add(commands: Commands) -> None:
    """Declare the command."""
    made = add_command(
        commands,
        "drill",
        "make something fail on purpose, on a paper exchange and a bot that are thrown away",
        _run,
        codes="0 all passed, 1 one did not (--last: or none was ever tried), 2 wrong use or configuration",
        examples=["drill lost-reply", "drill all", "drill flatten --brokerage coinbase --json", "drill --last"],
    )
    names = "\n".join(f"  {drill.name:12} {drill.text}" for drill in DRILLS.values())
    made.epilog = f"drills:\n{names}\n  {ALL:12} one after the other, in about three minutes\n\n{made.epilog}"
    made.add_argument("name", nargs="?", choices=[*DRILLS, ALL], metavar="NAME", help="which; see below")
    made.add_argument(
        "--brokerage", choices=[str(broker) for broker in BrokerType], help="where (default: the first with users)"
    )
    made.add_argument("--keep", action="store_true", help="keep the directory with logs and journal, and say where")
    made.add_argument("--last", action="store_true", help="only show when each was last tried, and how it ended")
    made.set_defaults(refuse=made.error)


def _run(settings: Settings, words: argparse.Namespace) -> int:
    if words.last:
        return last.show(settings, as_json=words.json)
    if words.name is None:
        words.refuse(f"which drill? One of {', '.join(DRILLS)}, or {ALL}")
    brokerage = BrokerType(words.brokerage) if words.brokerage else first_with_users(settings)
    if brokerage is None:
        print("No brokerage has an enabled master and an enabled user; there is nothing to drill.", file=sys.stderr)
        return exit_codes.WRONG_USE
    chosen = list(DRILLS.values()) if words.name == ALL else [DRILLS[words.name]]
    return run(settings, chosen, brokerage, keep=words.keep, as_json=words.json)


def run(settings: Settings, drills: Sequence[Drill], brokerage: BrokerType, *, keep: bool, as_json: bool) -> int:
    """One after the other: side by side they would take each other's time, which is what is measured."""
    done = _Done()
    for drill in drills:
        try:
            _run_one(settings, drill, brokerage, done, keep=keep)
        except (ConfigurationError, UnreadableReply) as error:
            done.left_out[drill.name] = f"{drill.name} could not begin: {error}"
            done.complete = False
    if not done.findings:
        print(f"Nothing was drilled: {'; '.join(done.left_out.values())}.", file=sys.stderr)
        return exit_codes.WRONG_USE
    if as_json:
        print(json.dumps(_as_json(done, brokerage), indent=2))
    else:
        print_findings(done.findings, done.left_out, brokerage, done.not_stored)
    return exit_codes.OK if done.passed else exit_codes.SOMETHING_WRONG


@dataclass
class _Done:
    """What came of the drills so far. `not_stored`: why the last one could not be written down.

    `complete` is false when one that was asked for could not begin; one that is of another brokerage does not count.
    """

    findings: list[Finding] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    not_stored: str = ""
    complete: bool = True

    @property
    def passed(self) -> bool:
        return self.complete and all(finding.passed for finding in self.findings)


def _run_one(settings: Settings, drill: Drill, brokerage: BrokerType, done: _Done, *, keep: bool) -> None:
    # Only here: what a drill needs is most of the program.
    from bot.diagnostics.drills.running import ended_in_order, run_drill

    if drill.only not in ("", str(brokerage)):
        done.left_out[drill.name] = f"{drill.name} is of {drill.only} alone"
        return
    try:
        with ended_in_order():
            finding = run_drill(
                drill,
                brokerage=brokerage,
                config_dir=config_directory(),
                variables=process_environment(),
                keep=keep,
                tell=_tell,
            )
    except NotPossible as error:
        done.left_out[drill.name] = f"{drill.name}: {error}"
        return
    done.findings.append(finding)
    done.not_stored = last.store(settings, finding, brokerage)


def first_with_users(settings: Settings) -> BrokerType | None:
    """The first master, as the settings have them, that somebody copies."""
    copied = {user.broker for user in settings.users if user.enabled and not user.shadow}
    return next((one.broker for one in settings.masters if one.enabled and one.broker in copied), None)


def _as_json(done: _Done, brokerage: BrokerType) -> dict[str, object]:
    return {
        "passed": done.passed,
        "brokerage": str(brokerage),
        "drills": [finding.as_json() for finding in done.findings],
        "left_out": done.left_out,
        "not_stored": done.not_stored or None,
    }


def _tell(text: str) -> None:
    """Progress, so that stdout has the answer alone."""
    print(text, file=sys.stderr, flush=True)
