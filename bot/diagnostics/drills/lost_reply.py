"""The reply to a user's accepted order never arrives: is there one order and one position, and soon known?"""

from bot.diagnostics.drills.copied import all_answered, bought_once, buy, sell_all
from bot.diagnostics.drills.order_endpoints import ORDER_ENDPOINTS
from bot.diagnostics.drills.stage import ANSWER_SECONDS, Stage


def run(stage: Stage) -> None:
    stage.start()
    symbol, finding = stage.symbol(), stage.finding
    match = {"brokerage": str(stage.brokerage), "account": stage.victim.user_id}
    faults = [
        stage.exchange.fault("drop_response", times=1, match=match | {"endpoint": endpoint})
        for endpoint in ORDER_ENDPOINTS[stage.brokerage]
    ]
    buy(stage, symbol)
    took = stage.wait(lambda: stage.exchange.struck(faults) > 0, ANSWER_SECONDS)
    finding.check(
        f"the reply to {stage.victim.user_id}'s order is lost",
        took is not None,
        "the exchange took the order and closed the connection" if took is not None else "no order came to it",
        seconds=took,
    )
    stage.exchange.clear_faults(faults)
    known = all_answered(stage, symbol, 1, "and its outcome is known without sending it again")
    finding.headline = "its outcome stayed unknown" if known is None else f"its outcome was known after {known:.1f} s"
    bought_once(stage, symbol)
    if known is None:
        return
    sell_all(stage, symbol)
