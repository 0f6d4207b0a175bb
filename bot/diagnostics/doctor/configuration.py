"""What the operator wrote: the configuration, and who is there to trade by it."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.diagnostics.doctor.finding import Finding, bad, note, ok, warn
from bot.domain.account import AccountRef
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings
from bot.settings.loading import inherited_environment

_EXCHANGE = "PAPER_EXCHANGE_CONTROL"


def settings_for(*, live: bool) -> tuple[Settings | None, list[Finding]]:
    """The settings in force, or as they would be with real money; None when they cannot be read."""
    environ = inherited_environment()
    overrides: Mapping[str, str] = {}
    findings: list[Finding] = []
    if live:
        overrides = {"trading_mode": "live"}
        if environ.get(_EXCHANGE):
            # It belongs to paper mode. Empty and not absent, so that .env does not say it again.
            environ |= {_EXCHANGE: ""}
            findings.append(note("CFG-05", f"{_EXCHANGE} is set; it is left aside while the keys for live are tried"))
    try:
        return load_settings(environ=environ, overrides=overrides), findings
    except ConfigurationError as error:
        return None, [*findings, *(bad("CFG-01", problem, _way_out(problem)) for problem in error.problems)]


def _way_out(problem: str) -> str:
    if "config/users" in problem or "users/" in problem:
        return "correct that line; docs/users.md shows what one looks like"
    return "correct it where the line says; python bot.py config show lists every setting"


def examine_configuration(settings: Settings, dotenv: Path, *, asked_for_live: bool) -> Iterator[Finding]:
    masters = [master.broker for master in settings.masters if master.enabled]
    users = [user for user in settings.users if user.enabled]
    files = len({user.source_file for user in settings.users})
    yield ok(
        "CFG-01", f"{_count(len(masters), 'master')} and {_count(len(users), 'user')} from {_count(files, 'file')}"
    )
    yield _mode(settings, asked_for_live=asked_for_live)
    if not masters:
        yield bad("CFG-03", "no master is switched on: nothing trades", "set enabled: true for a master in nija.yaml")
    for user in users:
        if user.broker not in masters:
            fix = f"switch the master of {user.broker} on in nija.yaml, or the user off in {user.source_file}"
            yield warn("CFG-03", f"{user.account.label} has no master to copy: {user.broker}'s is switched off", fix)
    yield from _file_of_keys(dotenv)


def _mode(settings: Settings, *, asked_for_live: bool) -> Finding:
    if asked_for_live:
        return note("CFG-02", "live, as if TRADING_MODE were live: the keys of .env are tried, nothing is traded")
    if settings.trading_mode == "live":
        return note("CFG-02", "live: real money; doctor trades nothing")
    return note("CFG-02", "paper: no key is needed. With --live the keys of .env are tried as live mode would")


def _file_of_keys(dotenv: Path) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(dotenv.stat().st_mode)
    except OSError:
        return
    if mode & 0o077:
        yield warn("CFG-04", f"others on this machine can read {dotenv.name} (mode {mode:04o})", f"chmod 600 {dotenv}")
    else:
        yield ok("CFG-04", f"{dotenv.name} is yours alone (mode {mode:04o})")


def accounts_of(settings: Settings) -> list[AccountRef]:
    """Those that are switched on and have a key of their own; masters first."""
    masters = [AccountRef.master(master.broker) for master in settings.masters if master.enabled]
    return masters + [user.account for user in settings.users if user.enabled and not user.shadow]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
