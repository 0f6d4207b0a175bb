"""kill -9 after an order was sent and before its answer was written down: is there a second one after the restart?"""

import signal

from bot.diagnostics.drills.copied import all_answered, bought_once, buy, sell_all
from bot.diagnostics.drills.finding import CutShort
from bot.diagnostics.drills.stage import ANSWER_SECONDS, Stage
from bot.diagnostics.drills.surroundings import variable_of

# The brokerage's answer has arrived, and nothing of it is written down yet.
MOMENT = "ack_received"


def run(stage: Stage) -> None:
    bot = stage.start(**{variable_of("failpoints"): f"{MOMENT}:kill"})
    symbol, finding = stage.symbol(), stage.finding
    buy(stage, symbol)
    took = stage.wait(lambda: bot.ended_with is not None, ANSWER_SECONDS)
    sent = len(stage.witness().of("accept")) - len(stage.witness().orders("master", "buy", symbol))
    killed = bot.ended_with == -signal.SIGKILL
    finding.check(
        "the bot is killed between sending an order and writing down the answer",
        killed and sent > 0,
        f"ended with {bot.ended_with}, {sent} of the users' orders are at the exchange",
        seconds=took,
    )
    if not killed:
        raise CutShort("the bot was not killed, so nothing can be shown")
    again = stage.clock.monotonic()
    stage.start()
    known = all_answered(stage, symbol, 1, "after the restart")
    took = stage.clock.monotonic() - again
    finding.headline = f"every order's outcome was {'known' if known else 'not known'} {took:.1f} s after the restart"
    bought_once(stage, symbol)
    sell_all(stage, symbol)
