"""`kill --flatten` with positions in every account: is all of it sold, and does it go on after `resume`?"""

from decimal import Decimal

from bot.diagnostics.drills.copied import all_answered, buy
from bot.diagnostics.drills.finding import CutShort
from bot.diagnostics.drills.stage import ANSWER_SECONDS, Stage
from bot.domain.money import plain

WAIT_SECONDS = 60
BY = ("--by", "drill", "--reason", "a drill")


def run(stage: Stage) -> None:
    stage.start()
    symbol, finding = stage.symbol(), stage.finding
    buy(stage, symbol)
    all_answered(stage, symbol, 1, "and holds something")
    names = ["master", *(user.user_id for user in stage.users)]
    held = {name: stage.witness().held(name, symbol) for name in names}
    holding = sum(amount > 0 for amount in held.values())
    finding.check("there is something to sell", holding > 1, f"{holding} of {len(names)} accounts hold {symbol}")
    pressed, since = stage.clock.monotonic(), stage.exchange.seq()
    answer = stage.command_json("kill", "--flatten", "--yes", "--wait", str(WAIT_SECONDS), *BY)
    took = stage.clock.monotonic() - pressed
    left = {name: amount for name in names if (amount := _sellable(stage, name, symbol)) > 0}
    finding.check(
        "all of it is sold, by the exchange's journal",
        not left,
        "; ".join(f"{name} holds {plain(amount)} {symbol}" for name, amount in left.items()) or "nobody holds any",
        seconds=took,
        headline=f"{len(left)} of {holding} accounts still hold something" if left else f"all sold after {took:.1f} s",
    )
    _said(stage, answer)
    bought = [line for line in stage.witness(since).of("accept") if line["side"] == "buy"]
    finding.check("nothing is bought meanwhile", not bought, f"{len(bought)} entries were accepted")
    if left:
        return
    _resume(stage)
    # The same entry once more: not before it counts as another one.
    stage.pause(float(stage.settings.risk.duplicate_entry_seconds or 0) + 1)
    buy(stage, symbol)
    all_answered(stage, symbol, 3, "after the resume")
    copied = stage.witness(since).orders(stage.victim.user_id, "buy", symbol)
    finding.check("copying goes on", len(copied) == 1, f"{len(copied)} orders of {stage.victim.user_id}")


def _sellable(stage: Stage, name: str, symbol: str) -> Decimal:
    """What is left, if the brokerage would take an order for it."""
    held, instrument = stage.witness().held(name, symbol), stage.hand.instrument(symbol)
    return held if held >= instrument.minimum_quantity else Decimal(0)


def _said(stage: Stage, answer: dict[str, object]) -> None:
    """Of the drilled brokerage's accounts: what else is configured holds nothing, and may not even be connected."""
    parts = answer.get("accounts")
    states = {str(part["account"]): part for part in parts} if isinstance(parts, list) else {}
    mine = [stage.master.label, *(user.account.label for user in stage.users)]
    open_ones = [
        f"{label}: {states[label]['state']} {states[label]['why']}" if label in states else f"{label}: not mentioned"
        for label in mine
        if label not in states or states[label]["state"] != "done"
    ]
    stage.finding.check(
        "the command says so of each account",
        not open_ones,
        "; ".join(open_ones) or f"{len(mine)} accounts done",
    )


def _resume(stage: Stage) -> None:
    shown = stage.command_json("resume")
    code = shown.get("code")
    if not code:
        raise CutShort(f"resume showed no code: {shown.get('said')}")
    done = stage.command_json("resume", "--code", str(code), *BY)
    still = stage.wait(lambda: stage.command("halts").returncode == 0, ANSWER_SECONDS)
    stage.finding.check(
        "resume lifts it in two steps",
        bool(done.get("done")) and still is not None,
        f"lifted {len(done.get('lifted', ()))}, still in force {len(done.get('still_halted', ()))}",
    )
