"""A user who holds copied coins disappears from the configuration: is it named, kept, and sold when asked?"""

import json
from typing import Any

from bot.diagnostics.drills.copied import all_answered, buy
from bot.diagnostics.drills.stage import ANSWER_SECONDS, Stage
from bot.domain.leaving import WhenDisabled
from bot.domain.money import plain
from bot.settings.users import UserSettings


def run(stage: Stage) -> None:
    stage.start()
    symbol, finding, victim = stage.symbol(), stage.finding, stage.victim
    buy(stage, symbol)
    all_answered(stage, symbol, 1, "before anybody leaves")
    held = stage.witness().held(victim.user_id, symbol)
    finding.check(f"{victim.user_id} holds what was copied", held > 0, f"{plain(held)} {symbol}")
    stage.stop()
    was = _change(stage, victim, None)
    since = stage.exchange.seq()
    stage.launch()
    label = victim.account.label
    took = stage.wait(lambda: _named(stage, label), ANSWER_SECONDS)
    finding.check(
        f"{label} is named as orphaned, with what to do", took is not None, _named(stage, label) or "nothing is said",
        seconds=took,
    )  # fmt: skip
    # The others go on: the bot has had the time to do something wrong.
    stage.wait(lambda: _cycles_of_master(stage) >= 2, ANSWER_SECONDS)
    asked = stage.witness(since).of("request", victim.user_id)
    finding.check(
        "nothing is done in the account that no file names",
        not asked and stage.witness().held(victim.user_id, symbol) == held,
        f"{len(asked)} calls with its key; it holds {plain(held)} {symbol}",
    )
    stage.stop()
    _change(stage, victim, was | {"enabled": False, "when_disabled": str(WhenDisabled.CLOSE_NOW)})
    stage.launch()
    lot = stage.hand.instrument(symbol).lot_step
    sold = stage.wait(lambda: stage.witness().held(victim.user_id, symbol) < lot, ANSWER_SECONDS)
    left = stage.witness().held(victim.user_id, symbol)
    finding.check(
        "named again with enabled false and when_disabled close_now, it is sold",
        sold is not None, f"{plain(left)} {symbol} left", seconds=sold,
        headline="named, kept, " + ("not sold" if sold is None else f"and sold {sold:.1f} s after being asked for"),
    )  # fmt: skip


def _named(stage: Stage, label: str) -> str:
    overview = stage.overview()
    return overview.orphaned.get(label, "") if overview is not None and overview.state.running else ""


def _cycles_of_master(stage: Stage) -> int:
    master = stage.account(stage.master.label)
    return 0 if master is None or master.why_not_trading else int(master.row.cycles)


def _change(stage: Stage, user: UserSettings, entry: dict[str, Any] | None) -> dict[str, Any]:
    """Replace the user's entry in his file (None: take it out); returns what was there."""
    for path in sorted((stage.config_dir / "users").glob("*.json")):
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        mine = [row for row in rows if (row["user_id"], row["broker_type"]) == (user.user_id, str(user.broker))]
        if mine or path.name == user.source_file.rpartition("/")[2]:
            others = [row for row in rows if row not in mine]
            changed = others if entry is None else [*others, entry]
            path.write_text(json.dumps(changed, indent=2), encoding="utf-8")
            stage.reload()
            return mine[0] if mine else {}
    return {}
