"""docs/users.md: its fields are those of a user's file, its examples are what the program sizes."""

import json
import re
from decimal import Decimal
from enum import StrEnum

import pytest

from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.position_sizer import BelowMinimum, CopyMode, EntryToCopy, NoSize, PositionSizer, Size, rules_of
from bot.settings.origins import value_text
from bot.settings.users import CopySettings, UserSettings
from tests.checks.forbidden_calls import ROOT

PAGE = (ROOT / "docs" / "users.md").read_text(encoding="utf-8")
FIELD = re.compile(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
EXAMPLE = re.compile(r"^\| `(\{.*?\})` \| ([0-9.]+) \| (nothing|[0-9.]+ BTC) \| ([^|]+) \|$", re.MULTILINE)
BTC = Instrument("BTC/USD", "XBTUSD", Decimal("0.00000001"), Decimal("0.1"), Decimal("0.00005"), Decimal("0.5"))
NAMES_IN_FILES = {"broker": "broker_type"}
COINS_OF_THE_USER = Decimal(2000)


def defaults() -> dict[str, str]:
    """Every field of a user's file, as it is when it is left out."""
    found = {}
    for name, info in {**UserSettings.model_fields, **CopySettings.model_fields}.items():
        if name not in ("copy_rules", "source_file"):
            value = None if info.is_required() else value_text(info.get_default(call_default_factory=True))
            found[NAMES_IN_FILES.get(name, name)] = (
                "must be there" if value is None else f"`{value}`" if value else "empty"
            )
    return found


def test_the_fields_are_those_of_a_users_file_with_their_defaults() -> None:
    table = PAGE.split("## Fields", 1)[1].split("\n## ", 1)[0]
    assert {name: default.strip() for name, default in FIELD.findall(table)} == defaults()


@pytest.mark.parametrize("choice", [*CopyMode, *BelowMinimum, *WhenDisabled])
def test_every_choice_is_explained(choice: StrEnum) -> None:
    assert re.search(rf"^(\| |- )`{choice.value}`[^|]*", PAGE.replace(" (default)", ""), re.MULTILINE), choice


def bought(settings: str, cash: Decimal, *, kept: str = "0") -> Size | NoSize:
    entry = EntryToCopy(
        symbol="BTC/USD",
        quantity=Decimal("0.01"),
        price=Decimal(50_000),
        master_balance=Decimal(10_000),
        user_balance=cash,
        user_available=cash,
        reserve_percent=Decimal("0.9"),
        user_exposure_by_symbol={},
        master_equity=Decimal(20_000),
        user_equity=cash + COINS_OF_THE_USER,
        kept=Decimal(kept),
    )
    rules = rules_of(CopySettings.model_validate(json.loads(settings, parse_float=Decimal)))
    return PositionSizer().size_entry(entry, rules, BTC)


@pytest.mark.parametrize(("settings", "cash", "said", "because"), EXAMPLE.findall(PAGE))
def test_the_examples_are_what_the_program_sizes(settings: str, cash: str, said: str, because: str) -> None:
    size = bought(settings, Decimal(cash))
    if isinstance(size, Size):
        assert f"{size.quantity.normalize():f} BTC" == said
        return
    assert said == "nothing"
    named = re.findall(r"`(\w+)`", because)
    assert not named or [size.reason.value] == named


def test_there_is_an_example_of_every_mode_and_of_every_way_below_the_minimum() -> None:
    examples = EXAMPLE.findall(PAGE)
    used = [CopySettings.model_validate(json.loads(settings)) for settings, *_ in examples]
    assert {one.copy_mode for one in used} == {mode.value for mode in CopyMode}
    assert {one.below_minimum for one in used} == {way.value for way in BelowMinimum}


def test_the_share_that_is_kept_is_bought_with_the_next_as_the_page_says() -> None:
    size = bought('{"below_minimum": "accumulate"}', Decimal(30), kept="0.00003")
    assert isinstance(size, Size)
    assert size.quantity == Decimal("0.00006")
