"""What holds for every test: a start that is the same everywhere, and large sizes only when asked for."""

import pytest
from hypothesis import settings

# A command for operators, not a test, whatever its name says.
collect_ignore = ["test_kraken_connection_live.py"]

# The same examples in every run, so that a red check is about the change. `--hypothesis-profile=search` draws new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the large sizes, which take minutes")
    parser.addoption(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="what every test of the store, the books, copying and the commands uses; some use both anyway",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--run-slow"):
            item.add_marker(pytest.mark.skip(reason="run with --run-slow"))
        if config.getoption("--database") == "postgresql":
            for marker in item.iter_markers("sqlite_only"):
                item.add_marker(pytest.mark.skip(reason=f"SQLite only: {marker.args[0]}"))
