"""Setting variables of .env: read back by the reader of the settings, and nothing else is touched."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.diagnostics.setup.dotenv_lines import DotenvRefused, with_variables
from bot.settings.env_source import read_dotenv

PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcC+/=\nabc\n-----END EC PRIVATE KEY-----\n"
TEXT = """# Keys of the house
TRADING_MODE=paper   # for now
export KRAKEN_MASTER_API_KEY='old'

  OTHER="two words"
#COINBASE_MASTER_API_KEY=
# OKX comes later
LAST=1"""


def read(text: str, tmp_path: Path) -> dict[str, str]:
    path = tmp_path / ".env"
    path.write_text(text, encoding="utf-8", newline="")
    found = read_dotenv(path)
    assert found.problems == []
    return found.values


def test_values_are_replaced_in_place_and_all_other_lines_stay(tmp_path: Path) -> None:
    changed = with_variables(
        TEXT, {"KRAKEN_MASTER_API_KEY": "new#1", "TRADING_MODE": "live", "COINBASE_MASTER_API_KEY": "x", "NEW": PEM}
    )
    assert changed.splitlines() == [
        "# Keys of the house",
        "TRADING_MODE=live   # for now",
        "export KRAKEN_MASTER_API_KEY='new#1'",
        "",
        '  OTHER="two words"',
        "#COINBASE_MASTER_API_KEY=",
        "COINBASE_MASTER_API_KEY=x",
        "# OKX comes later",
        "LAST=1",
        changed.splitlines()[-1],
    ]
    values = read(changed, tmp_path)
    assert values["NEW"] == PEM
    assert values["OTHER"] == "two words"


def test_what_is_there_already_is_not_written_again() -> None:
    assert with_variables(TEXT, {"KRAKEN_MASTER_API_KEY": "old", "OTHER": "two words"}) == TEXT


def test_a_variable_that_stands_twice_gets_the_new_value_twice(tmp_path: Path) -> None:
    assert read(with_variables("A=1\nB=2\nA=1\n", {"A": "3"}), tmp_path) == {"A": "3", "B": "2"}


def test_a_name_that_begins_another_leaves_that_alone(tmp_path: Path) -> None:
    assert read(with_variables("A_B=1\n", {"A": "2"}), tmp_path) == {"A_B": "1", "A": "2"}


@given(st.text(alphabet=st.characters(min_codepoint=9, max_codepoint=0x17F), max_size=40).map(str.strip))
def test_whatever_a_secret_has_in_it_comes_back(value: str) -> None:
    from bot.diagnostics.setup.dotenv_lines import values_of

    assert values_of(with_variables(TEXT, {"SECRET": value}))["SECRET"] == value


def test_a_file_that_is_no_list_of_variables_is_refused_by_line() -> None:
    with pytest.raises(DotenvRefused, match="line 2"):
        with_variables('A=1\nB="open\n', {"A": "2"})
