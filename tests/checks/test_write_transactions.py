"""The bot writes to the database in the store's own thread alone; every other opening has its reason here."""

import ast
from collections.abc import Iterator

from tests.checks.forbidden_calls import ROOT

# Each opening of a database in the program, and why it is no second writer beside the store.
OPENINGS = {
    ("bot/storage/store.py", "create_engine"): "the one place that makes engines, with the settings they need",
    ("bot/storage/store.py", "open_engine"): "the store's writer, and its readers, which cannot write",
    ("bot/storage/migrations/__init__.py", "open_engine"): "before the store is open",
    ("bot/storage/installation.py", "open_engine"): "before the store is open",
    ("bot/storage/installation.py", "connect"): "read-only",
    ("bot/storage/postgres_installation.py", "open_engine"): "before the store is open",
    ("bot/instance.py", "open_engine"): "the lease alone: it must not wait behind the store's queue",
    ("bot/storage/backups.py", "connect"): "the database read-only, the copy for writing",
    ("bot/diagnostics/backup.py", "connect"): "a copy that nobody uses yet",
    ("bot/diagnostics/copied_rows.py", "connect"): "read-only",
    ("bot/diagnostics/copied_rows.py", "create_engine"): "read-only",
    ("bot/diagnostics/copied_rows.py", "open_engine"): "an empty database that nobody uses yet",
    ("bot/diagnostics/store_writing.py", "open_engine"): "what a person decides, each in one immediate transaction",
    ("bot/diagnostics/store_reading.py", "create_engine"): "read-only",
    ("bot/diagnostics/store_reading.py", "open_engine"): "a reader, which cannot write",
    ("bot/diagnostics/store_reading.py", "connect"): "read-only",
}


def openings(source: str) -> Iterator[str]:
    """Calls that open a database: SQLAlchemy's engines, ours, and SQLite's connections."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in ("create_engine", "open_engine"):
            yield node.func.id
        elif isinstance(node.func, ast.Attribute) and ast.unparse(node.func) in (
            "sqlite3.connect",
            "sqlalchemy.create_engine",
        ):
            yield node.func.attr


def test_the_database_is_opened_only_where_there_is_a_reason_to() -> None:
    files = (ROOT / "bot").rglob("*.py")
    found = {
        (str(path.relative_to(ROOT)), name) for path in files for name in openings(path.read_text(encoding="utf-8"))
    }
    assert found == set(OPENINGS)


def test_every_connection_that_is_called_read_only_is() -> None:
    for path, name in OPENINGS:
        if OPENINGS[path, name] != "read-only":
            continue
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        connecting = [node for node in calls if ast.unparse(node.func) == "sqlite3.connect"]
        assert connecting
        assert "?mode=ro" in (ROOT / path).read_text(encoding="utf-8"), path
        assert all("uri=True" in ast.unparse(node) for node in connecting), path


def test_it_finds_an_opening_when_it_sees_one() -> None:
    assert list(openings("import sqlite3\nsqlite3.connect('x')\ncreate_engine('y')\nopen_engine(z, writer=True)")) == [
        "connect",
        "create_engine",
        "open_engine",
    ]
