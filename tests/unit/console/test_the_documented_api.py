"""docs/console.md lists every route there is, with its role."""

import re

from bot.console.app import STREAM_ROUTE
from bot.console.roles import Role
from bot.console.routes import all_routes
from bot.domain.control import ControlAction
from tests.checks.forbidden_calls import ROOT

TEXT = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (GET|POST) \| `([^`]+)` \| (none|view|control) \| ", re.MULTILINE)
OF_SESSIONS = {("POST", "/api/v1/sign-in", "none"), ("POST", "/api/v1/sign-out", "none")}


def test_every_route_is_documented_with_its_role_and_no_other() -> None:
    routes = {(each.method, each.path, each.needs.name.lower()) for each in (*all_routes(), STREAM_ROUTE)}
    assert set(ROW.findall(TEXT)) == routes | OF_SESSIONS
    assert Role.CONTROL.name.lower() in TEXT


def test_every_action_is_named() -> None:
    assert [str(action) for action in ControlAction if str(action) not in TEXT] == []


def test_every_question_that_is_documented_is_one_that_is_asked() -> None:
    """A parameter in the table is read by somebody: its name stands in the program."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot" / "console").glob("*.py"))
    names = set(re.findall(r"`\?([a-z]+)=", TEXT))
    assert names >= {"account", "limit", "before", "topics"}
    assert [name for name in names if f'"{name}"' not in source] == []
