"""User files: what is read, and how everything that is not understood is refused with file, line and field."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.account import BrokerType
from bot.domain.errors import ConfigurationError
from bot.domain.leaving import WhenDisabled
from bot.settings.user_files import MAX_BYTES, MAX_USERS_PER_FILE, read_user_files
from bot.settings.users import UserSettings

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "users"
ANN = {"user_id": "ann", "name": "Ann Lee", "account_type": "retail", "broker_type": "kraken", "enabled": True}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "users"
    path.mkdir(parents=True)
    return path


def write(directory: Path, *users: object, name: str = "retail_kraken.json") -> Path:
    path = directory / name
    path.write_text(json.dumps(list(users), indent=1), encoding="utf-8")
    return path


def read_one(directory: Path, **fields: object) -> UserSettings:
    write(directory, ANN | fields)
    (user,) = read_user_files(directory)
    return user


def problems(directory: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as error:
        read_user_files(directory)
    return error.value.problems


def problem(directory: Path) -> str:
    (only,) = problems(directory)
    return only


def problem_of_text(directory: Path, content: str | bytes) -> str:
    path = directory / "retail_kraken.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return problem(directory)


# -- what is read -----------------------------------------------------------------------------------------------------
def test_the_shipped_users_are_two_at_each_brokerage() -> None:
    users = {(user.user_id, str(user.broker)): user for user in read_user_files(SHIPPED)}
    balances = {"daivon_frazier": Decimal(1000), "tania_gilbert": Decimal(5000)}
    assert {key: user.paper_balance for key, user in users.items()} == {
        (name, str(broker)): balance for name, balance in balances.items() for broker in BrokerType
    }
    assert all(user.enabled and not user.shadow for user in users.values())


def test_a_user_has_what_its_file_says_and_remembers_the_file(directory: Path) -> None:
    user = read_one(directory, shadow=True, paper_balance=12.5, copy_mode="fixed_ratio", fixed_ratio=0.1)
    assert (user.user_id, user.name, user.account_type, user.broker) == ("ann", "Ann Lee", "retail", BrokerType.KRAKEN)
    assert user.shadow and user.paper_balance == Decimal("12.5")
    assert (user.copy_rules.copy_mode, user.copy_rules.fixed_ratio) == ("fixed_ratio", Decimal("0.1"))
    assert user.source_file == "config/users/retail_kraken.json"


def test_only_what_the_file_sets_counts_as_set(directory: Path) -> None:
    user = read_one(directory, max_trade_notional_usd=None, allow_symbols=["BTC/USD"])
    assert user.copy_rules.model_fields_set == {"max_trade_notional_usd", "allow_symbols"}


def test_a_number_is_read_digit_by_digit(directory: Path) -> None:
    assert read_one(directory, paper_balance=0.1).paper_balance == Decimal("0.1")
    path = write(directory, ANN | {"paper_balance": 1})
    path.write_text(path.read_text().replace(": 1\n", ": 1000000.0000000001\n"))
    assert read_user_files(directory)[0].paper_balance == Decimal("1000000.0000000001")


def test_no_directory_and_an_empty_list_mean_no_users(directory: Path) -> None:
    assert read_user_files(directory / "none") == ()
    write(directory)
    assert read_user_files(directory) == ()


def test_a_byte_order_mark_and_any_line_ends_are_accepted(directory: Path) -> None:
    path = write(directory, ANN)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [user.user_id for user in read_user_files(directory)] == ["ann"]


def test_a_user_may_have_accounts_at_several_brokerages(directory: Path) -> None:
    write(directory, ANN)
    write(directory, ANN | {"broker_type": "coinbase", "account_type": "investor"}, name="investor_coinbase.json")
    assert {str(user.account.label) for user in read_user_files(directory)} == {"ann_kraken", "ann_coinbase"}


@pytest.mark.parametrize("broker", list(BrokerType))
def test_every_brokerage_has_user_files(directory: Path, broker: BrokerType) -> None:
    write(directory, ANN | {"broker_type": str(broker)}, name=f"retail_{broker}.json")
    (user,) = read_user_files(directory)
    assert (user.account.label, user.enabled) == (f"ann_{broker}", True)


# -- fields -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("user_id", "../../etc/passwd", "user_id must begin with"),
        ("user_id", "Ann", "user_id must begin with"),
        ("user_id", "", "user_id must begin with"),
        ("user_id", "_ann", "user_id must begin with"),
        ("user_id", "ann\n", "user_id must begin with"),
        ("user_id", "a" * 33, "user_id must begin with"),
        ("user_id", "ann\u0131", "user_id must begin with"),
        ("user_id", "\uff42ob", "user_id must begin with"),
        ("user_id", "master", "reserved"),
        ("user_id", 7, "user_id must be a text in double quotes, not 7"),
        ("name", "  ", "name must not be empty"),
        ("name", "Ann\u202egnp", "cannot be shown"),
        ("name", "Ann\x1b[31m", "cannot be shown"),
        ("name", "x" * 101, "101 characters"),
        ("name", None, "not null"),
        ("account_type", "Retail", "account_type must be retail or investor"),
        ("broker_type", "mtgox", "broker_type must be coinbase or kraken"),
        ("enabled", "yes", "enabled must be true or false, without quotes, not 'yes'"),
        ("enabled", 1, "enabled must be true or false"),
        ("enabled", None, "enabled must be true or false"),
        ("shadow", 0, "shadow must be true or false"),
        ("description", ["x"], "not a list"),
        ("paper_balance", "1_000", "paper_balance must be a number, not '1_000'"),
        ("paper_balance", -1, "paper_balance must be greater than or equal to 0"),
        ("paper_balance", True, "paper_balance must be a number"),
        ("paper_balance", 1e30, "paper_balance must"),
        ("risk_multiplier", 0, "risk_multiplier must be greater than 0"),
        ("risk_multiplier", 101, "risk_multiplier must be less than or equal to 100"),
        ("risk_multiplier", None, "not null"),
        ("fixed_ratio", -0.5, "fixed_ratio must be greater than 0"),
        ("max_trade_notional_usd", 0, "max_trade_notional_usd must be greater than 0"),
        ("max_total_notional_usd", {"usd": 1}, "not an object"),
        ("copy_mode", "balance", "copy_mode must be balance_ratio or equity_ratio or fixed_amount or fixed_ratio"),
        ("below_minimum", "ignore", "below_minimum must be skip or round_up or accumulate"),
        ("round_up_limit", 2, "did you mean"),
        ("round_up_max_factor", 0.5, "round_up_max_factor must be greater than or equal to 1"),
        ("round_up_max_factor", "twice", "round_up_max_factor must be a number"),
        ("accumulate_hours", 0, "accumulate_hours must be greater than 0"),
        ("allow_symbols", "BTC/USD", "allow_symbols must be a list of texts"),
        ("allow_symbols", ["BTC/USD", 1], "allow_symbols must be a list of texts"),
        ("deny_symbols", ["btcusd"], "deny_symbols has 'btcusd'"),
        ("enable", True, "did you mean enabled?"),
        ("wallet", 1, "known are user_id"),
    ],
)
def test_a_wrong_field_is_refused_with_file_line_and_field(
    directory: Path, field: str, value: object, sentence: str
) -> None:
    path = write(directory, {**ANN, "user_id": "bob"}, ANN | {field: value})
    line = max(number for number, text in enumerate(path.read_text().splitlines(), 1) if f'"{field}"' in text)
    told = problem(directory)
    assert told.startswith(f"config/users/retail_kraken.json:{line}: ")
    assert sentence in told


@pytest.mark.parametrize("field", ["user_id", "name", "account_type", "broker_type"])
def test_a_missing_field_is_named_with_the_line_of_its_user(directory: Path, field: str) -> None:
    write(directory, {key: value for key, value in ANN.items() if key != field})
    assert problem(directory) == f"config/users/retail_kraken.json:2: {field} is missing from this user"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"account_type": "investor"}, "the file's name says retail"),
        ({"broker_type": "coinbase"}, "the file's name says kraken"),
        ({"copy_mode": "balance_ratio", "fixed_ratio": 0.5}, "fixed_ratio is set, but copy_mode is balance_ratio"),
        ({"copy_mode": "fixed_ratio", "fixed_amount_usd": 5}, "fixed_amount_usd is set, but copy_mode is fixed_ratio"),
        ({"allow_symbols": ["BTC/USD"], "deny_symbols": ["BTC/USD"]}, "'BTC/USD', which is in allow_symbols too"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    directory: Path, fields: dict[str, object], sentence: str
) -> None:
    write(directory, ANN | fields)
    assert sentence in problem(directory)


def test_amounts_may_be_text_and_an_account_is_enabled_unless_the_file_says_otherwise(directory: Path) -> None:
    user = {key: value for key, value in ANN.items() if key != "enabled"} | {"paper_balance": "1250.50"}
    write(directory, user)
    (read,) = read_user_files(directory)
    assert (read.enabled, read.paper_balance) == (True, Decimal("1250.50"))


def test_what_becomes_of_copies_when_a_user_is_switched_off_is_close_only_unless_its_file_says_otherwise(
    directory: Path,
) -> None:
    assert read_one(directory).when_disabled is WhenDisabled.CLOSE_ONLY
    for wish in WhenDisabled:
        assert read_one(directory, enabled=False, when_disabled=str(wish)).when_disabled is wish
    write(directory, ANN | {"when_disabled": "sell"})
    assert "when_disabled must be keep or close_only or close_now, not 'sell'" in problem(directory)


def test_a_user_who_joins_copies_new_entries_and_nothing_else_can_be_chosen(directory: Path) -> None:
    assert read_one(directory).copy_on_join == read_one(directory, copy_on_join="new_entries").copy_on_join
    write(directory, ANN | {"copy_on_join": "open_positions"})
    assert "copy_on_join open_positions is not supported in this version; use new_entries" in problem(directory)
    write(directory, ANN | {"copy_on_join": True})
    assert "copy_on_join must be a text in double quotes, not true" in problem(directory)


def test_everything_that_is_wrong_is_said_at_once(directory: Path) -> None:
    write(directory, ANN | {"enabled": "no", "shadow": "no"}, {"user_id": "x"})
    (directory / "retail_coinbase.json").write_text("[,]")
    told = problems(directory)
    assert len([text for text in told if text.startswith("config/users/retail_kraken.json:")]) == 5
    assert len([text for text in told if text.startswith("config/users/retail_coinbase.json:1:")]) == 1


# -- the same user twice ----------------------------------------------------------------------------------------------
def test_a_user_twice_in_one_file_is_refused_naming_both_lines(directory: Path) -> None:
    write(directory, ANN, ANN | {"name": "Another"})
    told = problem(directory)
    assert told.startswith("config/users/retail_kraken.json:9: user ann at kraken")
    assert "config/users/retail_kraken.json:2" in told


def test_a_user_in_two_files_is_refused_naming_both_places(directory: Path) -> None:
    write(directory, ANN)
    write(directory, ANN | {"account_type": "investor"}, name="investor_kraken.json")
    told = problem(directory)
    assert "config/users/investor_kraken.json:2" in told and "config/users/retail_kraken.json:2" in told


def test_two_ids_that_would_share_their_variables_are_refused(directory: Path) -> None:
    write(directory, ANN | {"user_id": "ann-lee"})
    write(directory, ANN | {"user_id": "ann_lee", "broker_type": "coinbase"}, name="retail_coinbase.json")
    assert "would share the credentials named ANN_LEE" in problem(directory)


def test_a_key_twice_in_one_user_is_refused_with_both_lines(directory: Path) -> None:
    text = json.dumps([ANN], indent=1).replace('"enabled": true', '"enabled": false,\n  "enabled": true')
    told = problem_of_text(directory, text)
    assert told == "config/users/retail_kraken.json:8: 'enabled' is already set on line 7; keep one of them"


def test_a_key_twice_is_found_also_when_one_is_written_with_escapes(directory: Path) -> None:
    text = json.dumps([ANN], indent=1).replace('"enabled": true', '"enabled": false,\n  "\\u0065nabled": true')
    assert "already set" in problem_of_text(directory, text)


# -- what is not JSON -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "empty"),
        ("\n\n \n", 1, "empty"),
        ("user_id: ann", 1, "a value should stand here, not 'user_id'"),
        ("[\n{},\n]", 3, "comma before ]"),
        ('[\n{"a": 1,\n}\n]', 3, "comma before }"),
        ("[\n// Ann\n{}]", 2, "comment"),
        ("[\n  # Ann\n{}]", 2, "comment"),
        ('[\n{"a": 1}\n{"b": 2}\n]', 3, ", or ] should stand here"),
        ('[\n{"a" 1}\n]', 2, ": should stand here"),
        ("[\n{a: 1}\n]", 2, "a key in double quotes"),
        ("[\n{'a': 1}\n]", 2, "straight double quote"),
        ("[\n{“a”: 1}\n]", 2, "straight double quote"),
        ('[\n{"a": NaN}]', 2, "not 'NaN'"),
        ('[\n{"a": -Infinity}]', 2, "not '-Infinity'"),
        ('[\n{"a": True}]', 2, "not 'True'"),
        ('[\n{"a": 01}]', 2, "not '01'"),
        ('[\n{"a": +1}]', 2, "not '+1'"),
        ('[\n{"a": 1.}]', 2, "not '1.'"),
        ('[\n{"a": .5}]', 2, "not '.5'"),
        ('[\n{"a": 1_000}]', 2, "not '1_000'"),
        ('[\n{"a": 0x10}]', 2, "not '0x10'"),
        ('[\n{"a": \u0661}]', 2, "a value should stand here"),
        ('[\n{"a": 1e9999}]', 2, "not '1e9999'"),
        ('[\n{"a": ' + "9" * 41 + "}]", 2, "more than 40 characters"),
        ('[\n{"a": "b\n"}]', 2, "line break"),
        ('[\n{"a": "b\\x"}]', 2, "backslash"),
        ('[\n{"a": "b\\ud800"}]', 2, "surrogate"),
        ('[\n{"a": "b', 2, "no closing quote"),
        ('[\n{"a": 1', 2, "the end of the file"),
        ("[\n", 1, "the end of the file"),
        ("[]\n[]", 2, "more text follows"),
        ("[" * 100_000, 1, "nested deeper"),
        ("{}", 1, "must be a list of users"),
        ('\n"ann"', 2, "must be a list of users"),
        ("[\n1]", 2, "a user must be an object"),
    ],
)
def test_what_is_not_a_list_of_users_in_json_is_refused_at_its_line(
    directory: Path, text: str, line: int, sentence: str
) -> None:
    told = problem_of_text(directory, text)
    assert told.startswith(f"config/users/retail_kraken.json:{line}: ")
    assert sentence in told


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (json.dumps([ANN]).encode("utf-16"), ":1: the file is UTF-16"),
        (b"[\n" + json.dumps(ANN).encode("utf-16-le"), ":2: there is a NUL byte"),
        (b'[\n{"name": "Andr\xe9"}]', ":2: byte 17 is not UTF-8"),
        (b'[{"name": "\xed\xa0\x80"}]', ":1: byte 12 is not UTF-8"),
        (b"[" + b" " * MAX_BYTES + b"]", "larger than 10 MB"),
    ],
    ids=["UTF-16", "UTF-16 without mark", "Latin-1", "surrogate", "too large"],
)
def test_what_is_not_utf_8_text_of_moderate_size_is_refused(directory: Path, content: bytes, sentence: str) -> None:
    assert sentence in problem_of_text(directory, content)


def test_more_users_than_one_file_may_have_are_refused(directory: Path) -> None:
    write(directory, *(ANN | {"user_id": f"u{number}"} for number in range(MAX_USERS_PER_FILE + 1)))
    assert f"at most {MAX_USERS_PER_FILE}" in problem(directory)


# -- what is not a file -----------------------------------------------------------------------------------------------
def test_a_symbolic_link_is_refused(directory: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    target.write_text("[]")
    (directory / "retail_kraken.json").symlink_to(target)
    assert problem(directory) == "config/users/retail_kraken.json is a symbolic link; put the file itself there"


def test_a_fifo_is_refused_without_waiting_for_a_writer(directory: Path) -> None:
    os.mkfifo(directory / "retail_kraken.json")
    assert problem(directory) == "config/users/retail_kraken.json is not a regular file"


def test_a_directory_in_place_of_a_file_is_refused(directory: Path) -> None:
    (directory / "retail_kraken.json").mkdir()
    assert problem(directory) == "config/users/retail_kraken.json is not a regular file"


@pytest.mark.parametrize(
    "name",
    ["retail_Kraken.json", "retail_kraken.JSON", "retail_kraken.json.txt", "vip_kraken.json", "retail_mtgox.json"],
)
def test_a_file_whose_name_says_no_class_and_brokerage_is_refused(directory: Path, name: str) -> None:
    write(directory, ANN, name=name)
    assert problem(directory).startswith(f"config/users/{name} is not a name of a user file")


@pytest.mark.parametrize(
    "name", ["README.md", ".retail_kraken.json.swp", "retail_kraken.json~", "retail_kraken.json.bak"]
)
def test_notes_and_an_editors_backups_are_left_alone(directory: Path, name: str) -> None:
    (directory / name).write_text("not JSON")
    assert read_user_files(directory) == ()
