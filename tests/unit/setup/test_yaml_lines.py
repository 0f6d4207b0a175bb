"""Changing one value of nija.yaml and nothing else."""

from pathlib import Path

import pytest
import yaml

from bot.diagnostics.setup.yaml_lines import YamlRefused, with_item, with_value

SHIPPED = (Path(__file__).parents[3] / "config" / "nija.yaml").read_text(encoding="utf-8")


def changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize(
    ("location", "value", "line"),
    [
        (("trading_mode",), "live", "trading_mode: live  # default paper;"),
        (("risk", "max_positions"), "3", "  max_positions: 3  # positions;"),
        (("masters", 2, "enabled"), "false", "    enabled: false  # default true;"),
        (("pace", "paper", "cycle_seconds"), "2", "    cycle_seconds: 2  # seconds;"),
        (("notifications", "telegram_chats"), "[12, -5]", "  telegram_chats: [12, -5]  # chat ids;"),
        (("books", "day_starts_at"), '"06:00"', '  day_starts_at: "06:00"  # HH:MM;'),
    ],
)
def test_only_the_value_changes_and_its_comment_stays(location: tuple[str | int, ...], value: str, line: str) -> None:
    [(_, new)] = changed_lines(SHIPPED, with_value(SHIPPED, location, value))
    assert new.startswith(line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"risk": {"max_positions": "3"}}),
        ("# nothing yet\n", {"risk": {"max_positions": "3"}}),
        ("risk:\n", {"risk": {"max_positions": "3"}}),
        ("risk: null  # later\n", {"risk": {"max_positions": "3"}}),
        ("risk: {}\n", {"risk": {"max_positions": "3"}}),
        ("risk: {sizing: fixed_fraction}\n", {"risk": {"sizing": "fixed_fraction", "max_positions": "3"}}),
        ("risk: {max_positions: , a: 1,}", {"risk": {"max_positions": "3", "a": "1"}}),
        ("{risk: {a: 1}}", {"risk": {"a": "1", "max_positions": "3"}}),
        ("risk:\n  max_positions:\n  a: 1", {"risk": {"max_positions": "3", "a": "1"}}),
        ("risk:\n  a: 1  # why\nscan:\n  b: 2\n", {"risk": {"a": "1", "max_positions": "3"}, "scan": {"b": "2"}}),
        ("risk:\n  deep:\n    b: 1\nscan: 2", {"risk": {"deep": {"b": "1"}, "max_positions": "3"}, "scan": "2"}),
        ("a: 1", {"a": "1", "risk": {"max_positions": "3"}}),
        ("a: 1\r\nrisk:\r\n  b: 2\r\n", {"a": "1", "risk": {"b": "2", "max_positions": "3"}}),
        ("a: |\n  text\n  # no comment\nrisk:\n  b: 2\n", None),
    ],
)
def test_what_is_missing_is_added_in_any_style_of_writing(text: str, expected: dict[str, object] | None) -> None:
    changed = with_value(text, ("risk", "max_positions"), "3")
    read = yaml.load(changed, Loader=yaml.BaseLoader)
    assert read == (expected or {"a": "text\n# no comment\n", "risk": {"b": "2", "max_positions": "3"}})
    for line in text.splitlines():
        assert "#" not in line or line.rpartition("#")[2] in changed
    assert "\r\n" not in text or "\n" not in changed.replace("\r\n", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "masters: []\n",
        "masters:  # none\n",
        "masters: [{broker: coinbase}]\nrisk: {}\n",
        "masters:\n  - broker: coinbase\n    enabled: true  # it runs\n\nrisk:\n  a: 1\n",
        "masters:\n- {broker: coinbase}\n",
        "masters:\n  - broker: coinbase",
    ],
)
def test_an_item_is_added_at_the_end_of_a_list(text: str) -> None:
    read = yaml.load(with_item(text, "masters", {"broker": "okx", "enabled": "true"}), Loader=yaml.BaseLoader)
    before = yaml.load(text, Loader=yaml.BaseLoader) or {}
    masters = [*(before.get("masters") or []), {"broker": "okx", "enabled": "true"}]
    assert read == before | {"masters": masters}


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("risk: [", ("risk", "max_positions")),
        ("risk: 5\n", ("risk", "max_positions")),
        ("risk:\n  max_positions:\n    a: 1\n", ("risk", "max_positions")),
        ("a: 1\n...\n", ("risk", "max_positions")),
        ("- a\n", ("risk", "max_positions")),
    ],
)
def test_a_file_that_cannot_be_changed_line_by_line_is_refused(text: str, location: tuple[str | int, ...]) -> None:
    with pytest.raises(YamlRefused):
        with_value(text, location, "3")
