"""Changing single values of a YAML file where they stand, so that its comments and its order stay as they are.

The places come from the parser's own marks. Each change is read back: everything else must say what it said before.
"""

from collections.abc import Mapping
from functools import lru_cache

import yaml

from bot.settings.origins import Location, dotted

Plain = str | None | list["Plain"] | dict[str, "Plain"]


class YamlRefused(Exception):
    """A file that cannot be changed line by line; the message says where."""


def with_value(text: str, location: Location, value: str) -> str:
    """The text in which the setting at `location` is `value` (as YAML writes it on one line).

    Sections and keys that are missing are added. Raises `YamlRefused`.
    """
    changed = _put(text, location, value)
    expected = _expected(_plain(_root(text)), location, _plain(_root(value)))
    return _read_back(changed, expected, location)


def with_item(text: str, section: str, item: Mapping[str, str]) -> str:
    """The text in which the list `section` has one more `item` at its end. Raises `YamlRefused`."""
    before = _plain(_root(text))
    there = before.get(section) if isinstance(before, dict) else None
    if there is not None and not isinstance(there, list):
        raise YamlRefused(f"{section} is no list")
    flow = f"{{{', '.join(f'{key}: {value}' for key, value in item.items())}}}"
    changed = _appended(text, section, item, flow)
    expected = (before if isinstance(before, dict) else {}) | {section: [*(there or []), _plain(_root(flow))]}
    return _read_back(changed, expected, (section,))


def values_in(text: str) -> dict[str, Plain]:
    """The sections of a file, plain values as they were written. Raises `YamlRefused`."""
    tree = _plain(_root(text))
    return tree if isinstance(tree, dict) else {}


# -- reading ----------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=4)
def _root(text: str) -> yaml.Node | None:
    """Kept for a moment: what one change has read back is what the next begins with."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise YamlRefused(f"{where}this is not YAML: {getattr(error, 'problem', None) or error}") from error


def _plain(node: yaml.Node | None) -> Plain:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node is None or node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _expected(tree: Plain, location: Location, value: Plain) -> Plain:
    """The same tree with one value put in."""
    if not location:
        return value
    step, rest = location[0], location[1:]
    if isinstance(step, int):
        items = list(tree) if isinstance(tree, list) else []
        items[step] = _expected(items[step], rest, value)
        return items
    known = dict(tree) if isinstance(tree, dict) else {}
    return known | {step: _expected(known.get(step), rest, value)}


def _read_back(changed: str, expected: Plain, location: Location) -> str:
    if _plain(_root(changed)) != expected:
        raise YamlRefused(f"{dotted(location)} cannot be changed in place; write it there yourself")
    return changed


# -- changing ---------------------------------------------------------------------------------------------------------
def _put(text: str, location: Location, value: str) -> str:
    node = _root(text)
    if node is None:
        return _at_the_end(text, location, value)
    for depth, step in enumerate(location):
        child = _child(node, step)
        if child is None:
            return _inserted(text, node, location[depth:], value, at_root=depth == 0)
        node = child
    if isinstance(node, yaml.ScalarNode) or (isinstance(node, yaml.SequenceNode) and node.flow_style):
        return _replaced(text, node, value)
    raise YamlRefused(f"{dotted(location)} is written over several lines; change it there yourself")


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(step, int):
        return node.value[step] if isinstance(node, yaml.SequenceNode) and step < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == step), None)


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    gap = " " if start == end and text[start - 1 : start] == ":" else ""
    return f"{text[:start]}{gap}{value}{text[end:]}"


def _inserted(text: str, node: yaml.Node, path: Location, value: str, *, at_root: bool) -> str:
    """A key that a section does not have yet."""
    entry = _flow_entry(path, value)
    if isinstance(node, yaml.ScalarNode) and _plain(node) is None:
        return _replaced(text, node, f"{{{entry}}}")
    if not isinstance(node, yaml.MappingNode):
        raise YamlRefused(f"line {node.start_mark.line + 1}: this is no section of `name: value`")
    if node.flow_style:
        return _into_braces(text, node, entry)
    if at_root and len(path) > 1:
        return _at_the_end(text, path, value)
    return _on_a_line_of_its_own(text, node, entry)


def _flow_entry(path: Location, value: str) -> str:
    entry = value
    for depth, step in enumerate(reversed(path)):
        entry = f"{step}: {entry}" if depth == 0 else f"{step}: {{{entry}}}"
    return entry


def _into_braces(text: str, node: yaml.CollectionNode, entry: str) -> str:
    if not node.value:
        place = node.end_mark.index - 1
        return f"{text[:place]}{entry}{text[place:]}"
    last = node.value[-1]
    place = _end_of(last[1] if isinstance(last, tuple) else last)
    return f"{text[:place]}, {entry}{text[place:]}"


def _on_a_line_of_its_own(text: str, node: yaml.MappingNode, entry: str) -> str:
    """Behind the last plain value of the section, so that it is not mistaken for part of a section inside it."""
    plain = [value for _, value in node.value if isinstance(value, yaml.ScalarNode) and value.style not in ("|", ">")]
    margin = " " * node.start_mark.column
    if not plain:
        place = node.start_mark.index
        return f"{text[:place]}{entry}{_line_break(text)}{margin}{text[place:]}"
    return _after_line(text, plain[-1].end_mark.index, f"{margin}{entry}")


def _appended(text: str, section: str, item: Mapping[str, str], flow: str) -> str:
    root = _root(text)
    node = None if root is None else _child(root, section)
    if node is None:
        return _at_the_end(text, (section,), f"[{flow}]")
    if isinstance(node, yaml.ScalarNode):
        return _replaced(text, node, f"[{flow}]")
    if not isinstance(node, yaml.SequenceNode):
        raise YamlRefused(f"{section} is no list")
    if node.flow_style:
        return _into_braces(text, node, flow)
    margin = " " * node.start_mark.column
    lines = [f"{margin}{'- ' if index == 0 else '  '}{key}: {value}" for index, (key, value) in enumerate(item.items())]
    return _after_line(text, _end_of(node), _line_break(text).join(lines))


def _at_the_end(text: str, path: Location, value: str) -> str:
    line_break = _line_break(text)
    lines = [f"{path[0]}: {value}"] if len(path) == 1 else [f"{path[0]}:", f"  {_flow_entry(path[1:], value)}"]
    begin = text if not text or text.endswith("\n") else f"{text}{line_break}"
    return begin + "".join(f"{line}{line_break}" for line in lines)


def _after_line(text: str, place: int, lines: str) -> str:
    """Below the line in which `place` is, with whatever comment that line ends with."""
    end = text.find("\n", place)
    if end < 0:
        return f"{text}{_line_break(text)}{lines}{_line_break(text)}"
    return f"{text[: end + 1]}{lines}{_line_break(text)}{text[end + 1 :]}"


def _end_of(node: yaml.Node) -> int:
    """Where the last text of it ends; a block's own mark is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _line_break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
