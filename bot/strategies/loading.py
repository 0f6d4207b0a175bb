"""From the configuration's words to a strategy object, with a sentence for everything that can be wrong."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import cast

from bot.domain.errors import ConfigurationError
from bot.strategies.interface import Strategy
from bot.strategies.parameters import Parameter, ParameterValues

SHIPPED = {
    "rsi_trend": "bot.strategies.rsi_trend:RsiTrend",
    "breakout": "bot.strategies.breakout:Breakout",
    "mean_reversion": "bot.strategies.mean_reversion:MeanReversion",
    "buy_and_hold": "bot.strategies.buy_and_hold:BuyAndHold",
}


def load_strategy(plugin: str, parameters: Mapping[str, object], *, directory: Path = Path()) -> Strategy:
    """The strategy that `plugin` names, with these parameters and the defaults of the others.

    `plugin` is the name of a shipped strategy, a dotted path (`package.module:Class` or `package.module.Class`) or a
    Python file, relative to `directory` (`rules/dip.py`, or `rules/dip.py:Class` when it has several strategies).
    Loading runs the code it names. Raises `ConfigurationError` with one sentence per problem.
    """
    plugin = plugin.strip()
    strategy_class = _find_class(SHIPPED.get(plugin, plugin), directory)
    try:
        values = ParameterValues(_declared(strategy_class), parameters)
    except ConfigurationError as error:
        raise ConfigurationError(*(f"strategy {plugin}: {problem}" for problem in error.problems)) from error
    return _build(plugin, strategy_class, values)


def _build(plugin: str, strategy_class: type, values: ParameterValues) -> Strategy:
    try:
        strategy = strategy_class(values)
    except ValueError as error:
        raise ConfigurationError(f"strategy {plugin}: {error}") from error
    except Exception as error:  # somebody else's constructor
        raise ConfigurationError(f"strategy {plugin} could not be made: {_what(error)}") from error
    needed = getattr(strategy, "candles_needed", None)
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 1:
        raise ConfigurationError(f"strategy {plugin}: candles_needed is {needed!r} and must be a whole number above 0")
    return cast(Strategy, strategy)


def _find_class(plugin: str, directory: Path) -> type:
    place, _, class_name = plugin.partition(":")
    if place.endswith(".py"):
        module = _module_of_file(directory / place)
    elif "." not in place:
        names = ", ".join(sorted(SHIPPED))
        raise ConfigurationError(
            f"there is no strategy {plugin!r}: the shipped ones are {names}; "
            "your own is a file (rules/dip.py) or a dotted path (package.module:Class)"
        )
    else:
        if not class_name:
            place, _, class_name = place.rpartition(".")
        module = _module_of_path(place)
    return _named_class(module, class_name, plugin) if class_name else _only_class(module, plugin)


def _module_of_path(path: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except Exception as error:  # importing runs somebody else's code
        raise ConfigurationError(f"strategy module {path} cannot be imported: {_what(error)}") from error


def _module_of_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise ConfigurationError(f"strategy file {file} does not exist")
    name = f"strategy_file_{sha256(str(file.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"strategy file {file} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    # A dataclass with annotations as text looks its module up by name while the file is still being read.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # importing runs somebody else's code
        raise ConfigurationError(f"strategy file {file} cannot be imported: {_what(error)}") from error
    return module


def _named_class(module: ModuleType, class_name: str, plugin: str) -> type:
    found = getattr(module, class_name, None)
    if not inspect.isclass(found):
        raise ConfigurationError(f"strategy {plugin}: there is no class {class_name!r} in it")
    lacking = _lacking(found)
    if lacking:
        raise ConfigurationError(f"strategy {plugin}: class {class_name} lacks {', '.join(lacking)}")
    return found


def _only_class(module: ModuleType, plugin: str) -> type:
    """The one class of a file that looks like a strategy; classes it merely imports do not count."""
    own = [found for _, found in inspect.getmembers(module, inspect.isclass) if found.__module__ == module.__name__]
    strategies = [found for found in own if not _lacking(found)]
    if len(strategies) == 1:
        return strategies[0]
    if strategies:
        names = ", ".join(found.__name__ for found in strategies)
        raise ConfigurationError(
            f"strategy {plugin} has several strategies ({names}): write {plugin}:{names.split(',')[0]}"
        )
    lacks = "; ".join(f"class {found.__name__} lacks {', '.join(_lacking(found))}" for found in own)
    raise ConfigurationError(f"strategy {plugin} has no strategy class" + (f": {lacks}" if lacks else ""))


def _lacking(found: type) -> list[str]:
    """The parts of the interface a class does not have."""
    missing = [name for name in ("name", "parameters") if not hasattr(found, name)]
    for method, arguments in (("entry", 1), ("exit", 2)):
        if not _takes(getattr(found, method, None), arguments):
            words = "(self, view)" if arguments == 1 else "(self, view, position)"
            missing.append(f"{method}{words}")
    return missing


def _takes(method: object, arguments: int) -> bool:
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(None, *range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def _declared(strategy_class: type) -> tuple[Parameter, ...]:
    declared = tuple(getattr(strategy_class, "parameters", ()))
    if not all(isinstance(parameter, Parameter) for parameter in declared):
        raise ConfigurationError("parameters must be a tuple of Parameter")
    names = [parameter.name for parameter in declared]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"parameter {twice[0]} is declared twice")
    return declared


def _what(error: BaseException) -> str:
    """The error in one line; a syntax error has file and line in its text."""
    return f"{type(error).__name__}: {error}"
