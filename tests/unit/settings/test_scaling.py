"""What several processes cannot share is refused with a sentence before anything is started."""

from pathlib import Path

import pytest

from bot.domain.errors import ConfigurationError
from tests.unit.settings.test_settings_sources import load

MANY = "scaling: {mode: many}\n"
SERVER = {
    "DATABASE_URL": "postgresql://nija@db/nija",
    "PAPER_EXCHANGE_CONTROL": "http://127.0.0.1:1",
    "PAPER_EXCHANGE_TOKEN": "x",
}


@pytest.mark.parametrize(
    ("missing", "yaml", "sentence"),
    [
        ("DATABASE_URL", MANY, "SQLite serves one process: set DATABASE_URL"),
        ("PAPER_EXCHANGE_CONTROL", MANY, "each process would start an exchange"),
        ("", MANY + "multi_broker_independent: false\n", "multi_broker_independent is false"),
        ("", "scaling: {mode: many, share: 0}\n", "scaling.share"),
    ],
)
def test_many_processes_need_a_server_one_exchange_and_all_masters(
    tmp_path: Path, missing: str, yaml: str, sentence: str
) -> None:
    environ = {name: value for name, value in SERVER.items() if name != missing}
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, yaml, environ=environ)
    assert sentence in " ".join(refused.value.problems)


def test_with_all_of_them_many_processes_may_start(tmp_path: Path) -> None:
    settings = load(tmp_path, MANY, environ=SERVER)
    assert (settings.scaling.mode, settings.scaling.share) == ("many", None)
