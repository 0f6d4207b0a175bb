"""What a strategy lets the operator set, and the strict reading of what was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.errors import ConfigurationError, NumberRefused
from bot.domain.money import parse_decimal, plain

_TYPE_NAMES = {int: "a whole number", Decimal: "a number"}
Number = int | Decimal


@dataclass(frozen=True)
class Parameter:
    """One setting of a strategy. The type of `default` (int or Decimal) is the type of the value.

    `minimum` and `maximum` belong to the range. `unit` is a word such as `candles`, `percent` or `RSI points`.
    """

    name: str
    default: Number
    minimum: Number
    maximum: Number
    unit: str
    description: str

    def __post_init__(self) -> None:
        if {type(self.default), type(self.minimum), type(self.maximum)} not in ({int}, {Decimal}):
            raise ValueError(f"parameter {self.name}: default, minimum and maximum must be all int or all Decimal")
        if not self.minimum <= self.default <= self.maximum:
            raise ValueError(f"parameter {self.name}: the default {self.default} is outside its own range")

    def read(self, value: object) -> Number:
        """The value as int or Decimal, from a number or its text. Raises ValueError with a sentence."""
        number = self._parse(value)
        if not self.minimum <= number <= self.maximum:
            raise ValueError(f"{self.name} is {number} and must be between {self.range_text}")
        return number

    @property
    def range_text(self) -> str:
        return f"{plain(Decimal(self.minimum))} and {plain(Decimal(self.maximum))} {self.unit}"

    def _parse(self, value: object) -> Number:
        # YAML gives 1.5 as a float; its shortest text is what the operator wrote.
        text = repr(value) if isinstance(value, float) else value.strip() if isinstance(value, str) else value
        try:
            number = parse_decimal(text, field=self.name)
        except NumberRefused as error:
            raise ValueError(self._wrong_type(value)) from error
        if isinstance(self.default, Decimal):
            return number
        if number != number.to_integral_value():
            raise ValueError(self._wrong_type(value))
        return int(number)

    def _wrong_type(self, value: object) -> str:
        kind = _TYPE_NAMES[type(self.default)]
        return f"{self.name} is {str(value)[:40]!r} and must be {kind} of {self.unit}, between {self.range_text}"


class ParameterValues:
    """A value for every declared parameter, in range; what a strategy's constructor is given."""

    def __init__(self, declared: Sequence[Parameter], given: Mapping[str, object]) -> None:
        """Raises `ConfigurationError` with one sentence for each thing wrong."""
        by_name = {parameter.name: parameter for parameter in declared}
        problems = [_unknown(name, by_name) for name in given if name not in by_name]
        self._values: dict[str, Number] = {}
        for name, parameter in by_name.items():
            try:
                self._values[name] = parameter.read(given.get(name, parameter.default))
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ConfigurationError(*problems)

    def integer(self, name: str) -> int:
        """The value of a parameter whose default is an int. Raises KeyError, or TypeError for a Decimal."""
        value = self._values[name]
        if not isinstance(value, int):
            raise TypeError(f"parameter {name} is a Decimal: read it with decimal()")
        return value

    def decimal(self, name: str) -> Decimal:
        """The value of a parameter, exact."""
        return Decimal(self._values[name])

    def as_dict(self) -> dict[str, Number]:
        """All values by name, for the record of a decision."""
        return dict(self._values)


def _unknown(name: object, known: Mapping[str, Parameter]) -> str:
    names = ", ".join(sorted(known)) or "none"
    return f"there is no parameter {str(name)[:60]!r}; this strategy has: {names}"
