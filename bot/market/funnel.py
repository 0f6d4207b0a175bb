"""What became of every market in one look at all of them, so that "why was nothing bought" is a matter of counting.

Each market ends at exactly one stage by exactly one rule, and all counts are made from those words:

    listed  = filtered + held + passed      (what the venue lists, and what is held of it)
    passed  = missing + asked               (worth a look; of the missing something is not known)
    asked   = no entry + signals            (the strategy's answers)
    signals = vetoed + ordered              (its wishes, and what became of them)
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.storage.scan_cycles import Counts

NOT_REACHED = "not_reached"
# How many rules of a stage are named in the log's one line.
NAMED_RULES = 4


class Stage(StrEnum):
    """Where a market ended. What was not bought ended at one of the others."""

    FILTERED = "filtered"  # by the scan's filters: status, currency, lists, volume, spread, fee
    HELD = "held"  # a position is there already
    MISSING = "missing"  # something that the decision needs is not known
    NO_ENTRY = "no_entry"  # the strategy does not want it
    VETOED = "vetoed"  # the strategy wants it, and a rule was in the way
    ORDERED = "ordered"


@dataclass(frozen=True, slots=True)
class Word:
    """The last word on a market: `rule` is a fixed word to count by, `detail` has the numbers compared."""

    stage: Stage
    rule: str
    detail: str = ""


class Funnel:
    """The words of one look. Used by one thread."""

    def __init__(self, symbols: Iterable[str]) -> None:
        """`symbols` are all that there is: each gets one word, and nothing else gets any."""
        self._words: dict[str, Word | None] = dict.fromkeys(symbols)

    def say(self, symbol: str, word: Word) -> None:
        """The one word on a market. Raises ValueError for a second one and for a market that is not in the look."""
        if symbol not in self._words:
            raise ValueError(f"{symbol} is not in this look at the markets")
        if self._words[symbol] is not None:
            raise ValueError(f"the word on {symbol} is {self._words[symbol]}: it gets no second one, {word}")
        self._words[symbol] = word

    def end(self, why: str) -> None:
        """Markets without a word were not reached (the look was broken off): that is missing, too."""
        word = Word(Stage.MISSING, NOT_REACHED, why)
        self._words.update({symbol: word for symbol, said in self._words.items() if said is None})

    @property
    def open(self) -> Sequence[str]:
        """Markets without a word yet."""
        return [symbol for symbol, word in self._words.items() if word is None]

    @property
    def words(self) -> Mapping[str, Word]:
        """By symbol; markets without a word yet are left out."""
        return {symbol: word for symbol, word in self._words.items() if word is not None}

    def counts(self) -> Counts:
        """By stage, how many markets ended there by which rule; the most frequent rule first."""
        counted: dict[str, Counter[str]] = {str(stage): Counter() for stage in Stage}
        for word in self._words.values():
            if word is not None:
                counted[word.stage][word.rule] += 1
        return {stage: dict(rules.most_common()) for stage, rules in counted.items()}

    def tally(self) -> "Tally":
        return Tally(self.counts())


@dataclass(frozen=True)
class Tally:
    """The counts of a look by stage and rule, and the sums made of them."""

    counts: Counts

    def of(self, stage: Stage) -> int:
        return sum(self.counts.get(stage, {}).values())

    @property
    def listed(self) -> int:
        return self.of(Stage.FILTERED) + self.of(Stage.HELD) + self.passed

    @property
    def passed(self) -> int:
        return self.of(Stage.MISSING) + self.asked

    @property
    def asked(self) -> int:
        """Markets about which all is known that the strategy needs: it was asked about each."""
        return self.of(Stage.NO_ENTRY) + self.signals

    @property
    def signals(self) -> int:
        return self.of(Stage.VETOED) + self.of(Stage.ORDERED)

    @property
    def ordered(self) -> int:
        return self.of(Stage.ORDERED)

    @property
    def ready_percent(self) -> float | None:
        """Of what passed the filters; None when nothing did, which is not full coverage."""
        return 100.0 * self.asked / self.passed if self.passed else None

    def __str__(self) -> str:
        """Such as `scanned 1482: 1310 filtered (spread 720, volume 590), 160 ready of 172 (candles_stale 12), ...`."""
        held = self.of(Stage.HELD)
        parts = [
            f"{self.of(Stage.FILTERED)} filtered{self._rules(Stage.FILTERED)}",
            *([f"{held} held"] if held else []),
            f"{self.asked} ready of {self.passed}{self._rules(Stage.MISSING)}",
            f"{self.signals} {'signal' if self.signals == 1 else 'signals'}",
        ]
        if self.of(Stage.VETOED):
            parts.append(f"{self.of(Stage.VETOED)} vetoed{self._rules(Stage.VETOED)}")
        return f"scanned {self.listed}: {', '.join(parts)}, {self.ordered} ordered"

    def _rules(self, stage: Stage) -> str:
        rules = list(self.counts.get(stage, {}).items())
        if not rules:
            return ""
        named = [f"{rule} {count}" for rule, count in rules[:NAMED_RULES]]
        return f" ({', '.join([*named, *(['…'] if len(rules) > NAMED_RULES else [])])})"
