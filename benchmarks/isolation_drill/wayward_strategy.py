"""The busy strategy, in whose calls things go wrong for one account when the drill orders it."""

from benchmarks.isolation_drill.mischief import STRATEGY, mischief
from benchmarks.kill_drill.busy_strategy import BusyStrategy
from benchmarks.kill_drill.exchange_process import PROJECT
from benchmarks.kill_drill.plan import failpoints_in
from bot.domain.position import Position
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, ParameterValues


class WaywardStrategy(BusyStrategy):
    """Made once the process is set up, so it also puts the mischief into the named steps."""

    name = "wayward"

    def __init__(self, values: ParameterValues) -> None:
        super().__init__(values)
        mischief.install(tuple(failpoints_in(PROJECT / "bot")))

    def entry(self, view: MarketView) -> EntryIntent | NoEntry:
        mischief.at(STRATEGY)
        return super().entry(view)

    def exit(self, view: MarketView, position: Position) -> ExitIntent | None:
        mischief.at(STRATEGY)
        return super().exit(view, position)
