"""Trials that a strategy has to stand: what `bot/strategies/interface.py` asks of it, each tried to be proved wrong.

Nothing here knows a strategy from the inside. It is asked about made markets (or the operator's candles), again in
another order, with another future, with more history, under watch; wherever two answers must be the same, they are
compared. A trial that holds is no proof for every market, but each of the usual mistakes breaks one of them.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cached_property

from bot.diagnostics.strategy_answers import Answer, Trial, ask, faults_in, in_words, position_at, tells, trial
from bot.diagnostics.strategy_guard import Watch
from bot.diagnostics.strategy_markets import chances, other_future
from bot.domain.position import Position
from bot.domain.quote import Candle
from bot.strategies.interface import AccountFacts, EntryIntent, ExitIntent, MarketView, Strategy
from bot.strategies.screening import ScreensEntries, ScreensExits, may_enter, may_exit

# Older candles that a view has beyond those a strategy says it needs.
_MORE_HISTORY = 64
# Places of a market where answers are compared, beside those with a signal.
_SAMPLED = 16
_ACCOUNT = AccountFacts(
    cash_quote=Decimal(10_000), equity_quote=Decimal(12_000), open_positions=1, max_positions=8,
    taker_fee_percent=Decimal("0.26"),
)  # fmt: skip

Place = tuple[str, int]


class StrategyCheck:
    """`make` gives a new object of the strategy; `markets` are closed candles by name, of `interval_minutes` each."""

    def __init__(
        self,
        make: Callable[[], Strategy],
        markets: Mapping[str, Sequence[Candle]],
        *,
        interval_minutes: int = 1,
    ) -> None:
        self._make = make
        self._markets = {name: tuple(candles) for name, candles in markets.items()}
        self._interval = interval_minutes
        self._needed = make().candles_needed

    def trials(self) -> Iterator[Trial]:
        """One after the other, as they are done."""
        yield self.under_watch()
        yield self.answers()
        yield self.order()
        yield self.future()
        yield self.window()
        yield self.screens()

    # -- the trials ---------------------------------------------------------------------------------------------------
    def under_watch(self) -> Trial:
        """First of all, before anything could be kept from an earlier call."""
        strategy = self._make()
        places = list(self._spread())
        with Watch(_file_of(strategy)) as watch:
            for place in places:
                _ask_directly(strategy, self._view(place), self._positions(place))
            for candles in self._markets.values():
                _screen_directly(strategy, candles)
        found = list(watch.seen)
        return trial("no clock, file, network or chance", found, len(places), "nothing of the kind was called")

    def answers(self) -> Trial:
        """Every answer is of the right kind; without knowledge of the account too."""
        wrong = [
            f"{self._named(place)}: {reason}" for place, answer in self._said.items() for reason in faults_in(answer)
        ]
        strategy = self._make()
        for place in self._places:
            view = MarketView(place[0], self._view(place).candles, self._interval)
            answer = ask(strategy, view, self._positions(place))
            wrong += [f"{self._named(place)}, account not known: {reason}" for reason in faults_in(answer)]
        entries = sum(isinstance(entry, EntryIntent) for entry, _ in self._said.values())
        exits = sum(isinstance(one, ExitIntent) for _, wishes in self._said.values() for one in wishes)
        told = f"{entries} entries and {exits} wishes to sell"
        return trial("answers of the right kind", wrong, len(self._said) + len(self._places), told)

    def order(self) -> Trial:
        """Backwards, shuffled, mixed with other markets, and twice in a row: the answer is that of the view."""
        shuffled = list(zip(chances("order"), self._places, strict=False))
        orders = {
            "asked backwards": self._places[::-1],
            "asked in another order": [place for _, place in sorted(shuffled)],
        }
        wrong, checked = [], 0
        for how, places in orders.items():
            strategy = self._make()
            for place in places:
                for again in (how, "asked twice"):
                    wrong += self._differs(place, self._answer(strategy, place), again)
                    checked += 1
        alone = self._places[:: max(1, len(self._places) // _SAMPLED)]
        for place in alone:
            wrong += self._differs(place, self._answer(self._make(), place), "asked alone")
        return trial("the same in any order of calls", wrong, checked + len(alone), "keeps nothing between calls")

    def future(self) -> Trial:
        """After a whole future has been shown, the real one and another, the past is answered as it was."""
        wrong, checked = [], 0
        for name, candles in self._markets.items():
            places = [place for place in self._places if place[0] == name]
            if not places:
                continue
            end = places[len(places) // 2][1]
            futures = {"after its real future": candles, "after another future": other_future(candles, end)}
            for how, shown in futures.items():
                strategy = self._make()
                for later in range(end, len(shown) + 1, 3):
                    ask(strategy, self._view_of(name, shown[:later]), self._positions((name, end)))
                for place in (one for one in places if one[1] <= end):
                    wrong += self._differs(place, self._answer(strategy, place), how)
                    checked += 1
        return trial("the same whatever comes later", wrong, checked, "sees no future and remembers none")

    def window(self) -> Trial:
        """With only the candles it says it needs, and with more: nothing older may count."""
        wrong = []
        strategy = self._make()
        lengths = (self._needed, self._needed + 1, self._needed + 7)
        for place in self._places:
            candles = self._markets[place[0]][: place[1]]
            for length in lengths:
                view = self._view_of(place[0], candles[-length:])
                answer = ask(strategy, view, self._positions(place))
                wrong += self._differs(place, answer, f"with {length} candles")
        told = f"looks at no more than its {self._needed} candles"
        return trial("no more than candles_needed", wrong, len(lengths) * len(self._places), told)

    def screens(self) -> Trial:
        """Where a screen says no, the strategy says no: over all candles, cut off, and with another future."""
        strategy = self._make()
        if not isinstance(strategy, ScreensEntries | ScreensExits):
            return Trial("screens hide no answer", True, "has none: a backtest asks it about every candle", 0)
        wrong, checked = [], 0
        for name, candles in self._markets.items():
            end = len(candles) * 2 // 3
            for how, shown, upto in (
                ("", candles, len(candles)),
                (" when the future is cut off", candles[:end], end),
                (" with another future", other_future(candles, end), end),
            ):
                hidden, asked = self._hidden(strategy, name, shown, upto)
                wrong += [f"{self._named(place)}: {what} is hidden{how}" for place, what in hidden]
                checked += asked
        return trial("screens hide no answer", wrong, checked, "what they leave out is never an answer")

    def _hidden(
        self, strategy: Strategy, name: str, candles: Sequence[Candle], upto: int
    ) -> tuple[list[tuple[Place, str]], int]:
        """Answers that a screen leaves out, and how many places were compared."""
        from bot.market.candle_arrays import CandleArrays

        arrays = CandleArrays.of(candles)
        enter, leave = may_enter(strategy, arrays), may_exit(strategy, arrays)
        found, compared = [], 0
        for place, (entry, wishes) in self._said.items():
            if place[0] != name or place[1] > upto:
                continue
            compared += 1
            if isinstance(entry, EntryIntent) and not enter[place[1] - 1]:
                found.append((place, "an entry"))
            if any(isinstance(wish, ExitIntent) for wish in wishes) and not leave[place[1] - 1]:
                found.append((place, "a wish to sell"))
        return found, compared

    # -- what is asked ------------------------------------------------------------------------------------------------
    @cached_property
    def _said(self) -> dict[Place, Answer]:
        """The answer at every place with enough candles, asked in the order of time."""
        strategy = self._make()
        return {
            (name, end): self._answer(strategy, (name, end))
            for name, candles in self._markets.items()
            for end in range(self._needed, len(candles) + 1)
        }

    @cached_property
    def _places(self) -> list[Place]:
        """Where answers are compared: some of every market, and some of those with a signal; in the order of time."""
        chosen = set(self._spread())
        for name in self._markets:
            telling = [place for place, answer in self._said.items() if place[0] == name and tells(answer)]
            chosen |= set(telling[:: max(1, len(telling) // _SAMPLED)])
        return sorted(chosen)

    def _spread(self) -> Iterator[Place]:
        for name, candles in self._markets.items():
            places = range(self._needed, len(candles) + 1)
            yield from ((name, end) for end in places[:: max(1, len(places) // _SAMPLED)])

    def _answer(self, strategy: Strategy, place: Place) -> Answer:
        return ask(strategy, self._view(place), self._positions(place))

    def _view(self, place: Place) -> MarketView:
        return self._view_of(place[0], self._markets[place[0]][: place[1]])

    def _view_of(self, name: str, candles: Sequence[Candle]) -> MarketView:
        return MarketView(name, candles[-(self._needed + _MORE_HISTORY) :], self._interval, _ACCOUNT)

    def _positions(self, place: Place) -> tuple[Position, Position]:
        """One that has gained and one that has lost, held since the candle before."""
        last = self._markets[place[0]][: place[1]][-1]
        return position_at(place[0], last, Decimal("0.98")), position_at(place[0], last, Decimal("1.02"))

    def _differs(self, place: Place, answer: Answer, how: str) -> list[str]:
        said = self._said[place]
        if answer == said:
            return []
        return [f"{self._named(place)}: {how} it says {in_words(answer)}, before {in_words(said)}"]

    def _named(self, place: Place) -> str:
        return f"{place[0]}, candle {place[1]}"


def _ask_directly(strategy: Strategy, view: MarketView, positions: Sequence[Position]) -> None:
    """Without what the bot does around it, which reads a clock. What fails here is told by another trial."""
    with suppress(Exception):
        strategy.entry(view)
    for position in positions:
        with suppress(Exception):
            strategy.exit(view, position)


def _screen_directly(strategy: Strategy, candles: Sequence[Candle]) -> None:
    from bot.market.candle_arrays import CandleArrays

    arrays = CandleArrays.of(candles)
    if isinstance(strategy, ScreensEntries):
        strategy.screen(arrays)
    if isinstance(strategy, ScreensExits):
        strategy.screen_exit(arrays)


def _file_of(strategy: Strategy) -> str:
    """Where its decisions are written; blank for what was not written in Python."""
    return getattr(getattr(inspect.unwrap(type(strategy).entry), "__code__", None), "co_filename", "")
