"""Reading `config/nija.yaml`: every plain value as the text that was written, with its line.

YAML's own guesses (`on` is true, `1_000` is a number, `012` is ten) play no part: the settings' rules read the text.
Aliases, tags and duplicate keys are refused, so that a short file cannot grow large and no line hides another.
"""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bot.settings.origins import Location, dotted

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

Tree = str | None | list["Tree"] | dict[str, "Tree"]


@dataclass
class YamlFile:
    """What a file says. `lines` has the line of every key and value; `problems` a sentence for each thing wrong."""

    name: str
    tree: dict[str, Tree] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, location: Location) -> str:
        """`config/nija.yaml:12`."""
        return f"{self.name}:{self.line(location)}"

    def line(self, location: Location) -> int:
        """The line of a key or value, or of the nearest around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read_yaml(path: Path, name: str) -> YamlFile:
    """The file at `path`, called `name` in messages; a file that is absent says nothing."""
    found = YamlFile(name)
    try:
        text = _text_of(path, name)
        if text is not None:
            _read_document(text, found)
    except OSError as error:
        found.problems.append(f"{name} cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        found.problems.append(f"{name} is not UTF-8 text (byte {error.start + 1})")
    except _Refused as error:
        found.problems.append(str(error))
    except yaml.YAMLError as error:
        found.problems.append(_yaml_sentence(error, name))
    return found


class _Refused(Exception):
    pass


def _text_of(path: Path, name: str) -> str | None:
    if not path.exists():
        return None
    if not path.is_file():
        raise _Refused(f"{name} is not a regular file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _Refused(f"{name} is larger than {MAX_BYTES} bytes")
    return content.decode("utf-8-sig")


def _read_document(text: str, found: YamlFile) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth = _checked(event, depth, found.name)
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        raise _Refused(f"{found.name}:{_line(node)}: the file must consist of sections of `name: value`")
    tree = _tree(node, (), found)
    assert isinstance(tree, dict)
    found.tree = tree


def _checked(event: yaml.Event, depth: int, name: str) -> int:
    """The depth after `event`. Refuses what we do not use, and nesting that would exhaust the stack."""
    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _Refused(f"{name}:{line}: anchors and aliases (& and *) are not used here")
    if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
        raise _Refused(f"{name}:{line}: tags (!) are not used here")
    depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
    if depth > MAX_DEPTH:
        raise _Refused(f"{name}:{line}: nested deeper than {MAX_DEPTH} levels")
    return depth


def _tree(node: yaml.Node, location: Location, found: YamlFile) -> Tree:
    found.lines.setdefault(location, _line(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, location, found)
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item, (*location, index), found) for index, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, location: Location, found: YamlFile) -> dict[str, Tree]:
    tree: dict[str, Tree] = {}
    for key, value in node.value:
        line = _line(key)
        if not isinstance(key, yaml.ScalarNode):
            found.problems.append(f"{found.name}:{line}: a key must be one word")
            continue
        place = (*location, key.value)
        if key.value in tree:
            found.problems.append(
                f"{found.name}:{line}: {dotted(place)} is already set on line {found.lines[place]}; keep one of them"
            )
            continue
        found.lines[place] = line
        tree[key.value] = _tree(value, place, found)
    return tree


def _scalar(node: yaml.Node) -> str | None:
    return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _line(part: yaml.Event | yaml.Node) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


def _yaml_sentence(error: yaml.YAMLError, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{name}:{mark.line + 1}" if mark else name
    return f"{place}: this is not YAML: {getattr(error, 'problem', None) or str(error).splitlines()[0]}"
