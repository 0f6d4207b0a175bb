"""From what an operator wants to the files as they will be, tried as a whole before anything is written."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.diagnostics.setup.dotenv_lines import DotenvRefused, with_variables
from bot.diagnostics.setup.file_change import FileChange
from bot.diagnostics.setup.place import Place, template, text_of
from bot.diagnostics.setup.user_lines import UserFileRefused, switched_off, with_user
from bot.diagnostics.setup.wanted import Wanted
from bot.diagnostics.setup.yaml_lines import YamlRefused, values_in, with_item, with_value
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings
from bot.settings.env_source import CONFIG_DIR_VARIABLE, given_by_variables
from bot.settings.loading import inherited_environment
from bot.settings.origins import Location
from bot.settings.values import read_boolean


def planned_changes(wanted: Wanted, place: Place) -> Sequence[FileChange]:
    """The files that will differ, in the order in which they are written. Raises `ConfigurationError`."""
    found = [*_user_files(wanted, place), _dotenv(wanted, place), _yaml(wanted, place)]
    return [change for change in found if change.changes]


def tried(changes: Sequence[FileChange], place: Place) -> Settings:
    """The settings as they will be, from a copy of everything. Raises `ConfigurationError`: nothing was changed."""
    with tempfile.TemporaryDirectory(prefix="nija-setup-") as directory:
        copy = Place(Path(directory) / place.config_dir.name)
        _copy_what_is_there(place, copy)
        for change in changes:
            target = copy.config_dir.parent / place.shown(change.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_text(change.after, encoding="utf-8", newline="")
        return load_settings(
            environ=_without_directory(inherited_environment()),
            config_dir=copy.config_dir,
            dotenv_path=copy.dotenv_path,
        )


def overruled(wanted: Wanted, settings: Settings) -> Sequence[str]:
    """A sentence for each wish that the environment of this process overrules, which no file can change."""
    wishes = dict(wanted.settings) | ({} if wanted.mode is None else {"trading_mode": wanted.mode})
    sentences = []
    for name, origin in settings.origins.items():
        if name in wishes and origin.source.startswith("environment"):
            sentences.append(f"{name} stays {origin.value_text}: {origin.source} wins over the files")
    outside = inherited_environment()
    for name, value in wanted.variables.items():
        if outside.get(name, value) != value:
            sentences.append(f"{name} of the environment wins over the one in .env")
    return sentences


# -- each file --------------------------------------------------------------------------------------------------------
def _user_files(wanted: Wanted, place: Place) -> Sequence[FileChange]:
    texts: dict[Path, str] = {}
    for user in wanted.users:
        path = place.user_path(user.file_name)
        with _named(path, place):
            texts[path] = with_user(_text(path, texts), user)
    for leaving in wanted.leaving:
        path = place.user_path(leaving.source_file.rpartition("/")[2])
        with _named(path, place):
            texts[path] = switched_off(_text(path, texts), leaving.user_id)
    return [FileChange(path, text_of(path), text) for path, text in texts.items()]


def _text(path: Path, changed: Mapping[Path, str]) -> str:
    return changed.get(path) or text_of(path) or ""


@contextmanager
def _named(path: Path, place: Place) -> Iterator[None]:
    """What refuses to be changed is said with the name of its file."""
    try:
        yield
    except (UserFileRefused, DotenvRefused, YamlRefused) as error:
        raise ConfigurationError(f"{place.shown(path)}: {error}; it was left as it is") from error


def _dotenv(wanted: Wanted, place: Place) -> FileChange:
    path = place.dotenv_path
    before = text_of(path)
    variables = dict(wanted.variables) | _settings_of_dotenv(wanted, place)
    with _named(path, place):
        after = with_variables(before or "", variables)
    return FileChange(path, before, after, secret=True)


def _settings_of_dotenv(wanted: Wanted, place: Place) -> dict[str, str]:
    """A setting that `.env` sets is changed there, since `.env` wins over `nija.yaml`."""
    wishes = _by_location(wanted)
    written = given_by_variables(place.dotenv(), ".env")
    named: dict[str, str] = {}
    for location, given in written:
        if location[0] == "masters" and wanted.brokers is not None and location[2:] == ("enabled",):
            named[given.named] = _flag(any(str(broker) == location[1] for broker in wanted.brokers))
        elif location in wishes:
            named[given.named] = wishes[location]
    return named


def _yaml(wanted: Wanted, place: Place) -> FileChange:
    path = place.yaml_path
    before = text_of(path)
    wishes = _by_location(wanted)
    if before is None:
        text = template() if wishes or wanted.brokers is not None else ""
    else:
        text = before
    with _named(path, place):
        for location, value in wishes.items():
            text = with_value(text, location, value)
        if wanted.brokers is not None:
            text = _with_masters(text, wanted.brokers)
    return FileChange(path, before, text)


def _with_masters(text: str, brokers: Sequence[BrokerType]) -> str:
    """The chosen masters run and the others of the five do not; exchanges opened by name stay as they are."""
    listed = _listed_masters(text)
    if listed is None:
        # Without a list all five run.
        if set(brokers) >= set(BrokerType):
            return text
        listed = {}
        for broker in BrokerType:
            text = with_item(text, "masters", _master(broker, runs=broker in brokers))
        return text
    for broker in BrokerType:
        if broker not in listed:
            text = with_item(text, "masters", _master(broker, runs=True)) if broker in brokers else text
            continue
        index, runs = listed[broker]
        if runs != (broker in brokers):
            text = with_value(text, ("masters", index, "enabled"), _flag(not runs))
    return text


def _listed_masters(text: str) -> dict[str, tuple[int, bool]] | None:
    """By brokerage: the place in the list and whether it runs. None = there is no list."""
    tree = values_in(text).get("masters")
    if not isinstance(tree, list):
        return None
    return {
        str(item.get("broker")): (index, _runs(item.get("enabled")))
        for index, item in enumerate(tree)
        if isinstance(item, dict)
    }


def _runs(text: object) -> bool:
    """A master of which nothing is said runs. What is no flag the settings refuse themselves."""
    try:
        return text is None or read_boolean(text)
    except ValueError:
        return False


def _master(broker: BrokerType, *, runs: bool) -> dict[str, str]:
    return {"broker": str(broker), "enabled": _flag(runs)}


def _flag(value: bool) -> str:
    return str(value).lower()


# -- the copy in which they are tried ---------------------------------------------------------------------------------
def _copy_what_is_there(place: Place, copy: Place) -> None:
    if place.config_dir.is_dir():
        # Without what a link points to: user files are not read through links either.
        shutil.copytree(place.config_dir, copy.config_dir, symlinks=True)
    else:
        copy.config_dir.mkdir(parents=True)
    if place.dotenv_path.is_file():
        shutil.copyfile(place.dotenv_path, copy.dotenv_path)
        copy.dotenv_path.chmod(0o600)


def _without_directory(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name != CONFIG_DIR_VARIABLE}


def _by_location(wanted: Wanted) -> Mapping[Location, str]:
    mode = {} if wanted.mode is None else {"trading_mode": str(wanted.mode)}
    return {tuple(name.split(".")): value for name, value in {**mode, **wanted.settings}.items()}
