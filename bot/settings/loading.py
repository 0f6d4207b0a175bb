"""All sources together: defaults < config/nija.yaml < .env < environment < command line.

Everything that is wrong, in whatever source, is said in one go.
"""

import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from bot.domain.account import EXCHANGE_NAME, BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings.contradictions import contradictions
from bot.settings.env_source import CONFIG_DIR_VARIABLE, given_by_variables, read_dotenv
from bot.settings.messages import sentences
from bot.settings.model import CopyingSettings, OperatorSettings, Settings
from bot.settings.origins import COMMAND_LINE, DEFAULT, Given, Location, Origin, dotted, leaves, value_text
from bot.settings.user_files import read_user_files
from bot.settings.users import CopySettings, UserSettings
from bot.settings.yaml_source import Tree, YamlFile, read_yaml

PROJECT_DIR = Path(__file__).resolve().parents[2]


def process_environment() -> dict[str, str]:
    """The variables of this process over those of `.env`: where credentials are looked for."""
    return {**read_dotenv(_config_dir(os.environ).parent / ".env").values, **os.environ}


def inherited_environment() -> dict[str, str]:
    """The variables of this process alone: for a child that was given what it may have, and nothing of `.env`."""
    return dict(os.environ)


def config_directory() -> Path:
    """Where this process's configuration lies."""
    return _config_dir(os.environ)


def load_settings(
    *,
    environ: Mapping[str, str] | None = None,
    config_dir: Path | None = None,
    dotenv_path: Path | None = None,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """The settings in force. `overrides` come from the command line, by dotted name (`pace.paper.cycle_seconds`).

    What is not given is this process's own: its environment, the project's `config/`, the `.env` beside it
    (which is not read when a `config_dir` is given). Raises `ConfigurationError` with a sentence for each thing wrong.
    """
    variables = os.environ if environ is None else environ
    if config_dir is None:
        config_dir = _config_dir(variables)
        dotenv_path = dotenv_path or config_dir.parent / ".env"
    return _Loading(variables, config_dir, dotenv_path, overrides).settings()


def _config_dir(environ: Mapping[str, str]) -> Path:
    named = environ.get(CONFIG_DIR_VARIABLE)
    if named and not Path(named).is_dir():
        raise ConfigurationError(f"{CONFIG_DIR_VARIABLE}: {named} is not a directory")
    return Path(named or PROJECT_DIR / "config").resolve()


class _Loading:
    def __init__(
        self, environ: Mapping[str, str], config_dir: Path, dotenv_path: Path | None, overrides: Mapping[str, str]
    ) -> None:
        self._environ, self._config_dir, self._overrides = environ, config_dir, overrides
        self._yaml: YamlFile = read_yaml(config_dir / "nija.yaml", f"{config_dir.name}/nija.yaml")
        self._dotenv = read_dotenv(dotenv_path)
        self._problems = [*self._yaml.problems, *self._dotenv.problems]
        self._given: dict[Location, Given] = {}

    def settings(self) -> Settings:
        tree = self._yaml.tree
        for location, given in self._written():
            self._put(tree, location, given)
        operator = self._validated(tree)
        users = self._users()
        if operator is not None:
            users = tuple(_with_copy_defaults(user, operator.copying) for user in users)
            self._problems += contradictions(operator, users)
        if self._problems or operator is None:
            raise ConfigurationError(*self._problems)
        operator = operator.model_copy(update={"state_dir": self._config_dir.parent / operator.state_dir})
        return Settings.model_construct(**dict(operator), users=users, origins=self._origins(operator))

    def _written(self) -> Iterator[tuple[Location, Given]]:
        yield from self._without_contradiction(given_by_variables(self._dotenv.values, ".env"))
        yield from self._without_contradiction(given_by_variables(self._environ, "environment"))
        for name, text in self._overrides.items():
            yield tuple(name.split(".")), Given(text, COMMAND_LINE, f"{name} on the command line")

    def _without_contradiction(self, written: Iterator[tuple[Location, Given]]) -> Iterator[tuple[Location, Given]]:
        """Two variables of one source that mean one setting must agree."""
        seen: dict[Location, Given] = {}
        for location, given in written:
            first = seen.setdefault(location, given)
            if first.text != given.text:
                self._problems.append(f"{first.named} and {given.named} mean the same setting and differ; keep one")
            yield location, given

    def _put(self, tree: dict[str, Tree], location: Location, given: Given) -> None:
        """Set one value in the tree; sections on the way appear as needed."""
        location = self._with_master_index(tree, location, given)
        self._refuse_overlap(location, given)
        here: Any = tree
        for step, next_step in pairwise(location):
            if isinstance(step, str) and isinstance(next_step, str) and not isinstance(here.get(step), dict):
                here[step] = {}
            here = here[step]
        here[location[-1]] = given.text
        self._given[location] = given

    def _with_master_index(self, tree: dict[str, Tree], location: Location, given: Given) -> Location:
        """`masters.kraken.enabled` → `masters.0.enabled`: masters are a list, a variable names one by its brokerage."""
        masters = tree.get("masters")
        if location[0] != "masters" or len(location) < 2 or not isinstance(masters, list | None):
            return location
        if masters is None:
            masters = [{"broker": str(one.broker), "enabled": str(one.enabled)} for one in OperatorSettings().masters]
            tree["masters"] = masters
        for index, item in enumerate(masters):
            if isinstance(item, dict) and item.get("broker") == location[1]:
                return ("masters", index, *location[2:])
        masters.append({"broker": str(location[1])})
        self._given["masters", len(masters) - 1, "broker"] = given
        return ("masters", len(masters) - 1, *location[2:])

    def _refuse_overlap(self, location: Location, given: Given) -> None:
        """A variable for a whole section and one for a setting inside it: one would hide the other."""
        for place, other in self._given.items():
            shorter = min(len(place), len(location))
            if place != location and place[:shorter] == location[:shorter]:
                self._problems.append(f"{other.named} and {given.named} exclude each other: one contains the other")

    def _origins(self, operator: OperatorSettings) -> Mapping[str, Origin]:
        return MappingProxyType(
            {
                dotted(location): Origin(value_text(value), self._source(location))
                for location, value, _ in leaves(operator)
            }
        )

    def _source(self, location: Location) -> str:
        """A section of free names (a strategy's parameters) may come from several sources; all are named."""
        sources = [given.source for place, given in self._given.items() if place[: len(location)] == location]
        if location in self._yaml.lines and location not in self._given:
            sources.insert(0, self._yaml.place(location))
        return ", ".join(sources) or DEFAULT

    def _validated(self, tree: dict[str, Tree]) -> OperatorSettings | None:
        try:
            return OperatorSettings.model_validate(tree, context={"exchanges": frozenset(self._exchanges(tree))})
        except ValidationError as error:
            self._problems += sentences(error, self._yaml, self._given)
            return None

    @staticmethod
    def _exchanges(tree: Mapping[str, Tree]) -> Iterator[BrokerType]:
        """Those that are named well; what is wrong with the others is said where they are read."""
        named = tree.get("exchanges")
        for name in named if isinstance(named, dict) else ():
            if EXCHANGE_NAME.fullmatch(str(name)):
                yield BrokerType(str(name))

    def _users(self) -> tuple[UserSettings, ...]:
        try:
            return read_user_files(self._config_dir / "users", (*BrokerType, *self._exchanges(self._yaml.tree)))
        except ConfigurationError as error:
            self._problems += error.problems
            return ()


def _with_copy_defaults(user: UserSettings, defaults: CopyingSettings) -> UserSettings:
    """What the user's file leaves open is as the section `copying` has it."""
    own = user.copy_rules
    common = {
        name: getattr(defaults, name) for name in CopySettings.model_fields if name in CopyingSettings.model_fields
    }
    unset = {name: value for name, value in common.items() if name not in own.model_fields_set}
    if "copy_mode" not in own.model_fields_set:
        unset["copy_mode"] = defaults.mode
    return user.model_copy(update={"copy_rules": own.model_copy(update=unset)})
