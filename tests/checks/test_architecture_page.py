"""docs/architecture.md names what there is: packages, tables, threads."""

import re
from pathlib import Path

import pytest

from bot.storage.schema import metadata
from tests.checks.forbidden_calls import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
THREAD = re.compile(r"""(?:Thread\(.{0,160}?name=|KeptThread\(\s*)f?["']([A-Z]\w*)(-?)""", re.DOTALL)
# A process of its own; its threads are its affair.
CONSOLE = ROOT / "bot" / "console"


def packages() -> list[str]:
    return sorted(path.parent.name for path in (ROOT / "bot").glob("*/__init__.py"))


def threads() -> list[str]:
    """As they are named where they are made; those of one kind by what their names begin with."""
    sources = [path for path in (ROOT / "bot").rglob("*.py") if not path.is_relative_to(CONSOLE)]
    return sorted({"".join(found) for path in sources for found in THREAD.findall(path.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("package", packages())
def test_every_package_is_named(package: str) -> None:
    assert re.search(rf"\b{package}\b", PAGE)


@pytest.mark.parametrize("table", metadata.tables)
def test_every_table_is_named(table: str) -> None:
    assert f"`{table}`" in PAGE.split("## Tables", 1)[1].split("\n## ", 1)[0]


def test_every_thread_is_named() -> None:
    found = threads()
    assert {"Housekeeper", "Store", "Telegram", "Tell-", "MarketWatch-"} <= set(found)
    assert [name for name in found if not re.search(rf"`{name}", PAGE)] == []


def test_no_thread_is_named_that_is_not_made() -> None:
    """The first column of its table, against names anywhere in the code."""
    table = PAGE.split("| thread | does |", 1)[1].split("\n\n", 1)[0]
    code = "".join(path.read_text(encoding="utf-8") for path in Path(ROOT / "bot").rglob("*.py"))
    for row in table.splitlines()[2:]:
        for name in re.findall(r"`([A-Za-z]+)", row.split("|")[1]):
            assert name == "MainThread" or f'"{name}' in code, name
