"""What is written: all or nothing, private where it must be, and nothing that would not load."""

import json
import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from bot.diagnostics.setup.file_change import FileChange, write_all
from bot.diagnostics.setup.new_user import new_user
from bot.diagnostics.setup.place import Place
from bot.diagnostics.setup.planned_changes import overruled, planned_changes, tried
from bot.diagnostics.setup.user_lines import NewUser, UserFileRefused, switched_off, with_user
from bot.diagnostics.setup.wanted import Wanted, state_directory_for
from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.settings import Settings, load_settings

ANN = NewUser(
    user_id="ann", broker=BrokerType.KRAKEN, account_class="retail", name="Änn", paper_balance=Decimal("0.00000001")
)
BO = NewUser(user_id="bo", broker=BrokerType.KRAKEN, account_class="retail", name="Bo", paper_balance=Decimal(5))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "config").mkdir()
    monkeypatch.setenv("NIJA_CONFIG_DIR", str(tmp_path / "config"))
    return Place.of_this_process()


def settings_of(place: Place) -> Settings:
    return load_settings(environ={}, config_dir=place.config_dir, dotenv_path=place.dotenv_path)


# -- user files -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["", "[]", "[\n]\n", " [ ] "])
def test_the_first_users_of_a_file_are_read_as_they_were_given(text: str, place: Place) -> None:
    path = place.user_path("retail_kraken.json")
    path.parent.mkdir()
    path.write_text(with_user(with_user(text, ANN), BO), encoding="utf-8")
    users = settings_of(place).users
    assert [(one.user_id, one.name, one.paper_balance) for one in users] == [
        ("ann", "Änn", Decimal("0.00000001")),
        ("bo", "Bo", Decimal(5)),
    ]


def test_users_that_are_there_stay_letter_by_letter(place: Place) -> None:
    own = '[ {"user_id":"own" ,"name":"Own ] }", "account_type":"retail","broker_type":"kraken"} ]\n\n'
    text = with_user(own, ANN)
    assert text.startswith(own.rstrip()[:-1].rstrip())
    assert [one["user_id"] for one in json.loads(text)] == ["own", "ann"]


@pytest.mark.parametrize(
    "text",
    [
        '[{"user_id": "bo", "enabled": true}, {"user_id": "ann", "enabled": true, "x": 0.10}]',
        '[\n  {\n    "enabled" : true,\n    "user_id": "ann"\n  },\n  {"user_id": "bo", "enabled": true}\n]\n',
        '[{"user_id": "ann", "name": "\\"enabled\\": true"}, {"user_id": "ann2", "enabled": true}]',
    ],
)
def test_only_the_user_who_leaves_is_switched_off(text: str) -> None:
    before, after = json.loads(text), json.loads(switched_off(text, "ann"))
    assert after == [one | {"enabled": False} if one["user_id"] == "ann" else one for one in before]
    assert abs(len(switched_off(text, "ann")) - len(text)) in (1, len(', "enabled": false'))


@pytest.mark.parametrize("text", ["{}", "[1,", "users", '{"users": []}'])
def test_a_file_that_is_no_list_of_users_is_left_alone(text: str) -> None:
    with pytest.raises(UserFileRefused):
        with_user(text, ANN)


def test_a_user_who_is_there_is_refused_by_file_and_line(place: Place) -> None:
    write_all(planned_changes(Wanted(users=[ANN, BO]), place))
    with pytest.raises(ConfigurationError, match=r"bo at kraken is there already: config/users/retail_kraken\.json:13"):
        new_user(settings_of(place), place, user_id="bo", broker="kraken", account_class="investor")


# -- writing ----------------------------------------------------------------------------------------------------------
def test_a_file_of_keys_is_its_owners_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    write_all([FileChange(path, "A=1\n", "A=2\n", secret=True)])
    assert path.read_text() == "A=2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [".env"]


def test_a_file_of_keys_that_others_can_read_is_closed_to_them_even_if_nothing_else_changes(place: Place) -> None:
    place.dotenv_path.write_text("NIJA_WEBHOOK_SECRET=abc\n")
    place.dotenv_path.chmod(0o644)
    [change] = planned_changes(Wanted(), place)
    assert list(change.shown()) == ["  others could read it; from now on only you can"]
    write_all([change])
    assert stat.S_IMODE(place.dotenv_path.stat().st_mode) == 0o600
    assert planned_changes(Wanted(), place) == []


def test_other_files_keep_their_mode_and_their_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "nija.yaml"
    path.write_bytes(b"a: 1\r\n")
    path.chmod(0o640)
    write_all([FileChange(path, "a: 1\r\n", "a: 2\r\n")])
    assert path.read_bytes() == b"a: 2\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / ".env").symlink_to(tmp_path / "real")
    write_all([FileChange(tmp_path / ".env", "A=1\n", "A=2\n", secret=True)])
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_text() == "A=2\n"


def test_when_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "file").write_text("")
    changes = [FileChange(tmp_path / "a", "old", "new"), FileChange(tmp_path / "file" / "b", None, "new")]
    with pytest.raises(ConfigurationError, match="nothing was changed"):
        write_all(changes)
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a", "file"]


def test_what_is_shown_of_a_file_of_keys_has_no_key_in_it() -> None:
    secret = "kR4k3nS3cr3tThatNobodyMaySee"
    change = FileChange(Path(".env"), "OLD=1\n", f"OLD=1\nKRAKEN_MASTER_API_KEY={secret}\n", secret=True)
    assert list(change.shown()) == ["  + KRAKEN_MASTER_API_KEY=****ySee"]
    assert secret not in repr(change)


# -- the whole --------------------------------------------------------------------------------------------------------
def test_a_directory_without_a_configuration_gets_the_whole_file_with_every_comment(place: Place) -> None:
    changes = planned_changes(Wanted(mode="paper", brokers=[BrokerType.KRAKEN], users=[ANN]), place)
    future = tried(changes, place)
    assert not place.yaml_path.exists()
    write_all(changes)
    assert [str(one.broker) for one in future.masters if one.enabled] == ["kraken"]
    assert "# seconds; default" in place.yaml_path.read_text()
    assert settings_of(place).users == future.users
    assert planned_changes(Wanted(mode="paper", brokers=[BrokerType.KRAKEN]), place) == []


@pytest.mark.parametrize(
    "text", ["masters:\n  - broker: okx\n", "masters: [{broker: okx, enabled: no}]\n", "risk: {}\n"]
)
def test_the_chosen_masters_run_however_they_were_listed(text: str, place: Place) -> None:
    place.yaml_path.write_text(text)
    wanted = Wanted(brokers=[BrokerType.KRAKEN, BrokerType.OKX])
    masters = tried(planned_changes(wanted, place), place).masters
    assert {str(one.broker) for one in masters if one.enabled} == {"kraken", "okx"}


def test_a_setting_that_env_sets_is_changed_there_because_env_wins(place: Place) -> None:
    place.yaml_path.write_text("trading_mode: paper\n")
    place.dotenv_path.write_text("TRADING_MODE=paper\nNIJA__MASTERS__OKX__ENABLED=true\n")
    wanted = Wanted(mode="live", brokers=[BrokerType.KRAKEN])
    changes = planned_changes(wanted, place)
    future = tried(changes, place)
    assert future.trading_mode == "live"
    assert [str(one.broker) for one in future.masters if one.enabled] == ["kraken"]
    assert {change.path for change in changes} == {place.yaml_path, place.dotenv_path}


def test_what_only_the_environment_says_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MODE", "paper")
    monkeypatch.setenv("NIJA_WEBHOOK_URL", "https://one.example")
    wanted = Wanted(mode="live", variables={"NIJA_WEBHOOK_URL": "https://two.example"})
    said = overruled(wanted, tried(planned_changes(wanted, place), place))
    assert said == [
        "trading_mode stays paper: environment TRADING_MODE wins over the files",
        "NIJA_WEBHOOK_URL of the environment wins over the one in .env",
    ]


def test_what_would_not_load_is_refused_before_anything_is_written(place: Place) -> None:
    place.yaml_path.write_text("risk:\n  max_positions: 8\n")
    wanted = Wanted(users=[ANN], settings={"risk.max_positions": "-1"})
    with pytest.raises(ConfigurationError, match="max_positions"):
        tried(planned_changes(wanted, place), place)
    assert place.yaml_path.read_text() == "risk:\n  max_positions: 8\n"
    assert not (place.config_dir / "users").exists()


@pytest.mark.parametrize("name", ["nija.yaml", "users/retail_kraken.json"])
def test_a_file_that_cannot_be_parsed_is_named_and_left_as_it_is(name: str, place: Place) -> None:
    path = place.config_dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("[ what: {\n")
    with pytest.raises(ConfigurationError, match=name):
        planned_changes(Wanted(mode="live", users=[ANN]), place)
    assert path.read_text() == "[ what: {\n"


def test_live_gets_a_state_directory_of_its_own_and_a_named_one_stays(place: Place) -> None:
    project, paper = place.config_dir.parent, settings_of(place)
    assert state_directory_for("live", paper, project) == "data-live"
    assert state_directory_for("paper", paper, project) == ""
    place.yaml_path.write_text("trading_mode: live\nstate_dir: data-live\n")
    assert state_directory_for("paper", settings_of(place), project) == "data"
    place.yaml_path.write_text("trading_mode: paper\nstate_dir: /var/lib/nija\n")
    assert state_directory_for("live", settings_of(place), project) == ""
