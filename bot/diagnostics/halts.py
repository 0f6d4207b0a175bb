"""`python bot.py kill | pause | resume | halts`: what is stopped, by whom and why; stopping it and lifting it."""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bot import exit_codes
from bot.diagnostics.halt_targets import Refused, Target, target_of
from bot.diagnostics.listing import age, cannot_read, count, paper, print_json, seconds_since, time_text
from bot.diagnostics.store_reading import BotState, NoStore, bot_state, now, read_store
from bot.diagnostics.store_writing import write_store
from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.seams.ids import IdSource, SystemIds
from bot.settings import Settings
from bot.storage import halts
from bot.storage.kill_file import KILL_FILE, read_kill_file, write_kill_file

CODE_GOOD_FOR = timedelta(minutes=10)
_CODE_LENGTH = 6
_LIFTED_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Who wants something stopped, and why."""

    by: str
    reason: str = ""


def operator() -> str:
    """The name of the operating system's user, for whoever does not say who they are."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


# -- stopping -----------------------------------------------------------------------------------------------------
def kill(settings: Settings, wish: Wish, *, as_json: bool) -> int:
    """No entries anywhere. When the store does not take it, the file does. 0 = so it is, 2 = neither took it."""
    try:
        with write_store(settings) as connection:
            halt, new = write_halt(connection, Target(HaltScope.ALL), HaltStrength.ENTRIES_OFF, wish, now(settings))
            state = bot_state(connection, now=now(settings))
    except NoStore as error:
        return kill_by_file(settings, wish, error, flatten=False, as_json=as_json)
    return _print_set(halt, new, state, as_json=as_json)


def kill_by_file(settings: Settings, wish: Wish, error: NoStore, *, flatten: bool, as_json: bool) -> int:
    """What stops everything must not need a store that works."""
    reason = f"{wish.reason or 'kill'} ({wish.by})"
    try:
        path = write_kill_file(settings.state_dir, reason=reason, flatten=flatten)
    except OSError as problem:
        why = f"Nothing is stopped: {error}. And no file {KILL_FILE} can be made in {settings.state_dir}: {problem}"
        return cannot_read(NoStore(why), as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})
    said = f"{error}. So the file {path} was made: it stops every entry too, until it is removed and resume is said"
    if as_json:
        print_json(None, said=said, done=True, halt=None, file=str(path))
    else:
        paper().print(f"{said}.", soft_wrap=True)
    return exit_codes.OK


def pause(settings: Settings, target: str, wish: Wish, *, sure: bool, as_json: bool) -> int:
    """No entries of an account, a brokerage or a symbol; exits go on. 0 = so it is, 2 = refused."""
    try:
        with write_store(settings) as connection:
            meant = target_of(connection, target, sure=sure)
            halt, new = write_halt(connection, meant, HaltStrength.ENTRIES_OFF, wish, now(settings))
            state = bot_state(connection, now=now(settings))
    except (Refused, NoStore) as error:
        return refuse(error, as_json=as_json)
    return _print_set(halt, new, state, as_json=as_json)


def write_halt(
    connection: Connection, target: Target, strength: HaltStrength, wish: Wish, moment: datetime
) -> tuple[Halt, bool]:
    """As a command sets it; False beside it when it was in force before."""
    return halts.set_halt(
        connection,
        scope=target.scope,
        target=target.target,
        strength=strength,
        reason=wish.reason,
        set_by=wish.by,
        source=HaltSource.COMMAND,
        now=moment,
    )


def refuse(error: Exception, *, as_json: bool) -> int:
    """Nothing was changed, and why."""
    return cannot_read(NoStore(str(error)), as_json=as_json, code=exit_codes.WRONG_USE, empty={"done": False})


def _print_set(halt: Halt, new: bool, state: BotState, *, as_json: bool) -> int:
    said = f"Halt #{halt.id}: {halt.sentence}" if new else f"Halt #{halt.id} was in force before: {halt.sentence}"
    if as_json:
        print_json(state, done=True, new=new, halt=as_fields(halt))
        return exit_codes.OK
    effect = "No entry leaves any more; exits go on" if state.running else f"{state.sentence}; it stays halted"
    word = Target(halt.scope, halt.target).word
    paper().print(f"{said}.\n{effect}. To lift it: python bot.py resume {word}", soft_wrap=True)
    return exit_codes.OK


# -- lifting ------------------------------------------------------------------------------------------------------
def resume(settings: Settings, target: str | None, by: str, *, as_json: bool, ids: IdSource | None = None) -> int:
    """The first step: show what would be lifted, and a code for the second. Without a target: everything.

    0 = nothing is halted, 1 = shown and not lifted yet, 2 = refused.
    """
    moment, code = now(settings), (ids or SystemIds()).token()[:_CODE_LENGTH].upper()
    try:
        _refuse_while_file(settings.state_dir)
        with write_store(settings) as connection:
            found, others = _meant(connection, target)
            halts.ask_to_lift(connection, [halt.id for halt in found], code=code, by=by, now=moment)
            state = bot_state(connection, now=moment)
    except (Refused, NoStore) as error:
        return refuse(error, as_json=as_json)
    again = " ".join(filter(None, ["python bot.py resume", target, f"--code {code} --reason TEXT"]))
    if as_json:
        shown = [as_fields(halt) for halt in found]
        print_json(state, done=False, would_lift=shown, code=code if found else None, confirm=again if found else None)
    elif not found:
        paper().print("Nothing is halted.")
    else:
        _print_first_step(found, others, again)
    return exit_codes.SOMETHING_WRONG if found else exit_codes.OK


def confirm_resume(settings: Settings, target: str | None, code: str, wish: Wish, *, as_json: bool) -> int:
    """The second step: lift exactly what was shown. 0 = lifted, 2 = refused; then nothing was lifted."""
    moment = now(settings)
    try:
        _refuse_while_file(settings.state_dir)
        with write_store(settings) as connection:
            found, others = _meant(connection, target)
            if not found:
                raise Refused("Nothing is halted")
            _check_code(found, code.strip().upper(), moment)
            halts.lift(connection, [halt.id for halt in found], by=wish.by, reason=wish.reason, now=moment)
            state = bot_state(connection, now=moment)
    except (Refused, NoStore) as error:
        return refuse(error, as_json=as_json)
    if as_json:
        print_json(state, done=True, lifted=[halt.id for halt in found], still_halted=[one.id for one in others])
    else:
        lines = [f"Lifted by {wish.by}: {halt.sentence}" for halt in found]
        lines += [f"Still in force: {halt.sentence}" for halt in others]
        paper().print("\n".join(lines), soft_wrap=True)
    return exit_codes.OK


def _refuse_while_file(state_dir: Path) -> None:
    file = read_kill_file(state_dir)
    if file is not None:
        raise Refused(f"The file {file.path} is there, and it stops everything. Remove it first, then say resume")


def _meant(connection: Connection, target: str | None) -> tuple[list[Halt], list[Halt]]:
    """Halts in force that are meant, and the others. Raises `Refused` when a target has none."""
    found = list(halts.all_in_force(connection))
    if target is None:
        return found, []
    wanted = target_of(connection, target, sure=True)
    mine = [halt for halt in found if wanted.is_of(halt)]
    others = [halt for halt in found if not wanted.is_of(halt)]
    if not mine and others:
        raise Refused(f"{target} itself is not halted. In force: {'; '.join(halt.sentence for halt in others)}")
    return mine, others


def _check_code(found: Sequence[Halt], code: str, moment: datetime) -> None:
    unseen = [halt for halt in found if halt.lift_code != code]
    if len(unseen) == len(found):
        raise Refused(f"{code} is not the code that was shown last. Say resume without --code to see a new one")
    if unseen:
        came = "; ".join(halt.sentence for halt in unseen)
        raise Refused(f"Nothing was lifted, because this came since: {came}. Say resume again to see all of it")
    asked_at = min(halt.lift_asked_at for halt in found if halt.lift_asked_at is not None)
    if abs(moment - asked_at) > CODE_GOOD_FOR:
        raise Refused(f"The code is {age(asked_at, moment)} old, and good for 10 minutes. Say resume again")


def _print_first_step(found: Sequence[Halt], others: Sequence[Halt], again: str) -> None:
    lines = [f"{count(len(found), 'halt')} would be lifted:"]
    lines += [f"  #{halt.id} {halt.sentence}" for halt in found]
    lines += [f"It would stay in force: {halt.sentence}" for halt in others]
    lines += ["Nothing is lifted yet. To lift exactly this, within 10 minutes:", f"  {again}"]
    paper().print("\n".join(lines), soft_wrap=True)


# -- listing ------------------------------------------------------------------------------------------------------
def list_halts(settings: Settings, *, as_json: bool, lifted_too: bool) -> int:
    """Is anything stopped, by whom, when and why. 0 = nothing, 1 = something, 3 = the bot is not running."""
    moment = now(settings)
    try:
        with read_store(settings) as connection:
            state = bot_state(connection, now=moment)
            in_force = list(halts.all_in_force(connection))
            shown = list(halts.latest_halts(connection, limit=_LIFTED_SHOWN)) if lifted_too else in_force
    except NoStore as error:
        return cannot_read(error, as_json=as_json, code=exit_codes.NOT_RUNNING, empty=("halts",))
    file = read_kill_file(settings.state_dir)
    if as_json:
        print_json(
            state,
            halted=bool(in_force) or file is not None,
            file=None if file is None else str(file.path),
            halts=[as_fields(halt) | {"age_seconds": seconds_since(halt.set_at, moment)} for halt in shown],
        )
    else:
        lines = [state.sentence, *([f"The file {file.path} is there: no entry is sent"] if file else [])]
        lines += [f"#{halt.id} {halt.sentence}{_lifted(halt)}" for halt in shown]
        lines += [] if in_force or file else ["Nothing is halted."]
        paper().print("\n".join(lines), soft_wrap=True)
    if not state.running:
        return exit_codes.NOT_RUNNING
    return exit_codes.SOMETHING_WRONG if in_force or file else exit_codes.OK


def _lifted(halt: Halt) -> str:
    if halt.lifted_at is None:
        return ""
    because = f": {halt.lift_reason}" if halt.lift_reason else ""
    return f" (lifted {halt.lifted_at:%Y-%m-%d %H:%M:%S} UTC by {halt.lifted_by}{because})"


def as_fields(halt: Halt) -> dict[str, Any]:
    """For JSON. The code of a lifting that was begun is shown to whoever began it alone."""
    return {
        "id": halt.id,
        "scope": str(halt.scope),
        "target": halt.target,
        "strength": str(halt.strength),
        "reason": halt.reason,
        "set_by": halt.set_by,
        "source": str(halt.source),
        "set_at": time_text(halt.set_at),
        "sentence": halt.sentence,
        "lifted_by": halt.lifted_by,
        "lift_reason": halt.lift_reason,
        "lifted_at": time_text(halt.lifted_at),
    }
