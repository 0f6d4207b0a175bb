"""What cannot be used, and the sentence that says so: the place, the setting, what was expected."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.errors import ConfigurationError
from bot.settings import load_settings

WORDS = st.sampled_from(
    [
        "masters",
        "KRAKEN",
        "okx",
        "0",
        "broker",
        "enabled",
        "copying",
        "DENY_SYMBOLS",
        "strategy",
        "parameters",
        "pace",
        "",
    ]
)
PIECES = WORDS | st.sampled_from(
    ["\n", "\n  ", "\n- ", ": ", ":", "- ", "[", "]", "{", "}", ", ", "#", "'", '"', "|", "1", "?", "~"]
)


def problems(
    tmp_path: Path,
    yaml: str | bytes = "",
    *,
    dotenv: str | bytes = "",
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> list[str]:
    config = tmp_path / "config"
    config.mkdir(exist_ok=True)
    (config / "nija.yaml").write_bytes(yaml.encode() if isinstance(yaml, str) else yaml)
    (tmp_path / ".env").write_bytes(dotenv.encode() if isinstance(dotenv, str) else dotenv)
    try:
        load_settings(
            environ=environ or {}, config_dir=config, dotenv_path=tmp_path / ".env", overrides=overrides or {}
        )
    except ConfigurationError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        (
            "kraken:\n  private_call_hold_second: 4\n",
            "config/nija.yaml:2: kraken.private_call_hold_second is not a setting; "
            "did you mean private_call_hold_seconds?",
        ),
        # Two percent written as a fraction, and no stop at all: no account may be without one.
        (
            "risk:\n  stop_loss_percent: 0.02\n",
            "config/nija.yaml:2: risk.stop_loss_percent must be at least 0.05, not '0.02'",
        ),
        (
            "risk:\n  stop_loss_percent: null\n",
            "config/nija.yaml:2: risk.stop_loss_percent must be a number, not empty",
        ),
        (
            "metrics_port: 1\n\nmetrics_port: 1\n",
            "config/nija.yaml:3: metrics_port is already set on line 1; keep one of them",
        ),
        (
            "risk:\n  max_positions: 1\n  max_positions: 2\n",
            "config/nija.yaml:3: risk.max_positions is already set on line 2; keep one of them",
        ),
        ("metrics_port: 1_000\n", "config/nija.yaml:1: metrics_port must be a whole number, not '1_000'"),
        ("metrics_port: ٣\n", "config/nija.yaml:1: metrics_port must be a whole number, not '٣'"),
        ("metrics_port: 0x10\n", "config/nija.yaml:1: metrics_port must be a whole number, not '0x10'"),
        ("metrics_port: 70000\n", "config/nija.yaml:1: metrics_port must be at most 65535, not '70000'"),
        ("metrics_port:\n", "config/nija.yaml:1: metrics_port must be a whole number, not empty"),
        ("shutdown_seconds: .inf\n", "config/nija.yaml:1: shutdown_seconds must be a number, not '.inf'"),
        ("shutdown_seconds: nan\n", "config/nija.yaml:1: shutdown_seconds must be a number, not 'nan'"),
        ("shutdown_seconds: 0\n", "config/nija.yaml:1: shutdown_seconds must be more than 0, not '0'"),
        ("shutdown_seconds: [1, 2]\n", "config/nija.yaml:1: shutdown_seconds must be a number, not a list"),
        ("minimum_funded_usd: -1\n", "config/nija.yaml:1: minimum_funded_usd must be at least 0, not '-1'"),
        ("log_json: maybe\n", "config/nija.yaml:1: log_json must be auto, true or false, not 'maybe'"),
        ("balance: 3\n", "config/nija.yaml:1: balance must be a section of name: value, not '3'"),
        ("masters: 5\n", "config/nija.yaml:1: masters must be a list, not '5'"),
        ("masters:\n- enabled: true\n", "config/nija.yaml:2: masters.0.broker is missing"),
        (
            "masters:\n- broker: mtgox\n",
            "config/nija.yaml:2: masters.0.broker must be 'coinbase', 'kraken', 'okx', 'binance' or 'alpaca', "
            "not 'mtgox'; any other exchange is named in the section exchanges first",
        ),
        ("okx: {demo: maybe}\n", "config/nija.yaml:1: okx.demo must be true or false, not 'maybe'"),
        (
            "okx: {order_deadline_seconds: 90}\n",
            "config/nija.yaml:1: okx.order_deadline_seconds must be at most 25, not '90'",
        ),
        (
            "binance: {quote_currency: usdt}\n",
            "config/nija.yaml:1: binance.quote_currency must look like ^[A-Z]{3,5}$, not 'usdt'",
        ),
        (
            "alpaca: {session: nasdaq}\n",
            "config/nija.yaml:1: alpaca.session must be 'always_open' or 'calendar', not 'nasdaq'",
        ),
        (
            "risk: {at_par_with_usd: [USDT, Tether]}\n",
            "config/nija.yaml:1: risk.at_par_with_usd has 'Tether', which is not a currency such as USDT",
        ),
        (
            "okx: {rest_url: 'https://api.binance.com'}\n",
            "okx.rest_url is https://api.binance.com, a host of binance; the keys of okx must not go there",
        ),
        (
            "alpaca: {rest_url: 'https://data.alpaca.markets'}\n",
            "alpaca.rest_url is https://data.alpaca.markets, which takes no orders; that is alpaca.data_url's",
        ),
        (
            "masters:\n- broker: kraken\n- broker: kraken\n",
            "masters: kraken is listed 2 times; a brokerage has one master",
        ),
        (
            "copying:\n  mode: martingale\n",
            "config/nija.yaml:2: copying.mode must be 'balance_ratio', 'equity_ratio', 'fixed_amount' or "
            "'fixed_ratio', not 'martingale'",
        ),
        (
            "copying: {round_up_max_factor: 0.9}\n",
            "config/nija.yaml:1: copying.round_up_max_factor must be at least 1, not '0.9'",
        ),
        (
            "copying: {mode: fixed_amount}\n",
            "copying: the copy mode is fixed_amount, so fixed_amount_usd must be set",
        ),
        (
            "copying: {deny_symbols: [BTCUSD]}\n",
            "config/nija.yaml:1: copying.deny_symbols has 'BTCUSD', which is not a symbol such as BTC/USD",
        ),
        (
            "kraken: {rest_url: 'https://user@api.kraken.com'}\n",
            "config/nija.yaml:1: kraken.rest_url must be a base URL such as https://api.kraken.com, "
            "without path, query or user name",
        ),
        (
            "strategy: {parameters: {a: [1]}}\n",
            "config/nija.yaml:1: strategy.parameters 'a' must be one plain value, not a list",
        ),
        ("a: &x 1\nb: *x\n", "config/nija.yaml:1: anchors and aliases (& and *) are not used here"),
        ("a: !!python/name:os.system x\n", "config/nija.yaml:1: tags (!) are not used here"),
        ("a: [\n", "config/nija.yaml:2: this is not YAML: expected the node content, but found '<stream end>'"),
        ("- a\n", "config/nija.yaml:1: the file must consist of sections of `name: value`"),
        ("[" * 500, "config/nija.yaml:1: nested deeper than 20 levels"),
        ("a: 1\n".encode("utf-16"), "config/nija.yaml is not UTF-8 text (byte 1)"),
        (b"#" * 1_000_001, "config/nija.yaml is larger than 1000000 bytes"),
    ],
)
def test_the_file_is_refused_with_line_setting_and_expectation(
    tmp_path: Path, yaml: str | bytes, sentence: str
) -> None:
    assert problems(tmp_path, yaml) == [sentence]


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    assert problems(tmp_path, b"\xef\xbb\xbfmetrics_port: 1\r\nlog_json: yes\r\n") == []


def test_users_and_origins_cannot_be_slipped_in_through_the_file(tmp_path: Path) -> None:
    found = problems(tmp_path, "users: []\norigins: {}\n")
    assert [text.split(" is not a setting")[0] for text in found] == [
        "config/nija.yaml:1: users",
        "config/nija.yaml:2: origins",
    ]


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config" / "nija.yaml").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"nija\.yaml is not a regular file"):
        load_settings(environ={}, config_dir=tmp_path / "config")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"METRICS_PORT": "1e3"}, "METRICS_PORT must be a whole number, not '1e3'"),
        ({"METRICS_PORT": ""}, "METRICS_PORT must be a whole number, not empty"),
        ({"TRADING_MODE": "LIVE"}, "TRADING_MODE must be 'paper' or 'live', not 'LIVE'"),
        ({"MULTI_BROKER_INDEPENDENT": "  "}, "MULTI_BROKER_INDEPENDENT must be true or false, not empty"),
        (
            {"NIJA_FAILPOINTS": "crash"},
            "NIJA_FAILPOINTS must be like name:kill,name:raise,name:hang=30, not 'crash'",
        ),
        (
            {"NIJA__KRAKEN__PRIVATE_CALL_HOLD": "3"},
            "NIJA__KRAKEN__PRIVATE_CALL_HOLD is not a setting; did you mean private_call_hold_seconds?",
        ),
        (
            {"NIJA__METRICS_PORT__X": "3"},
            "NIJA__METRICS_PORT__X must be a whole number, not a section",
        ),
        (
            {"NIJA__MASTERS__MTGOX__ENABLED": "true"},
            "NIJA__MASTERS__MTGOX__ENABLED must be 'coinbase', 'kraken', 'okx', 'binance' or 'alpaca', not 'mtgox'; "
            "any other exchange is named in the section exchanges first",
        ),
        (
            {"NIJA__MASTERS__KRAKEN": "true"},
            "NIJA__MASTERS__KRAKEN must be a section of name: value, not 'true'",
        ),
        (
            {"NIJA__MASTERS__KRAKEN__ENABLED__X": "true"},
            "NIJA__MASTERS__KRAKEN__ENABLED__X must be true or false, not a section",
        ),
        ({"NIJA__MASTERS": "kraken"}, "NIJA__MASTERS must be a list, not 'kraken'"),
        (
            {"NIJA__RISK__AT_PAR_WITH_USD": "USDT, usd coin"},
            "NIJA__RISK__AT_PAR_WITH_USD has 'usd coin', which is not a currency such as USDT",
        ),
        (
            {"METRICS_PORT": "1", "NIJA__METRICS_PORT": "2"},
            "METRICS_PORT and NIJA__METRICS_PORT mean the same setting and differ; keep one",
        ),
        (
            {"TRADING_MODE": "live", "NIJA_FAILPOINTS": "a:kill"},
            "NIJA_FAILPOINTS (failpoints) is set and trading_mode is live; it is for paper mode only",
        ),
        (
            {"TRADING_MODE": "live", "NIJA_TEST_CLOCK_OFFSET_SECONDS": "-3600"},
            "NIJA_TEST_CLOCK_OFFSET_SECONDS (test_clock_offset_seconds) is set and trading_mode is live; "
            "it is for paper mode only",
        ),
        (
            {"TRADING_MODE": "live", "PAPER_EXCHANGE_CONTROL": "http://127.0.0.1:1"},
            "PAPER_EXCHANGE_CONTROL (paper.exchange_control_url) is set and trading_mode is live; "
            "it is for paper mode only",
        ),
    ],
)
def test_a_variable_is_refused_by_its_name(tmp_path: Path, environ: Mapping[str, str], sentence: str) -> None:
    assert problems(tmp_path, environ=environ) == [sentence]


def test_a_section_and_a_setting_inside_it_cannot_both_be_variables(tmp_path: Path) -> None:
    found = problems(tmp_path, environ={"NIJA__KRAKEN": "x", "NIJA__KRAKEN__REST_URL": "https://k.example"})
    assert found == ["NIJA__KRAKEN and NIJA__KRAKEN__REST_URL exclude each other: one contains the other"]


def test_variables_of_others_are_none_of_ours(tmp_path: Path) -> None:
    assert problems(tmp_path, environ={"PATH": "/bin", "NIJAX": "1", "metrics_port": "x"}) == []


@pytest.mark.parametrize(
    ("dotenv", "sentence"),
    [
        (
            "LOG_JSON=true\nfoo bar\n",
            ".env:2: this is not NAME=value; a value of several lines needs double quotes around it",
        ),
        (
            "METRICS_PORT=1\nMETRICS_PORT=2\n",
            ".env:2: METRICS_PORT already has another value on line 1; keep one",
        ),
        ("METRICS_PORT=x\n", "METRICS_PORT must be a whole number, not 'x'"),
        ("A=1\n".encode("utf-16"), ".env is not UTF-8 text (byte 1)"),
    ],
)
def test_the_file_of_variables_is_refused_by_line(tmp_path: Path, dotenv: str | bytes, sentence: str) -> None:
    assert problems(tmp_path, dotenv=dotenv) == [sentence]


def test_an_unquoted_secret_of_several_lines_is_refused_without_showing_it(tmp_path: Path) -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIsecret\noAoGCCqGSM49==\n-----END EC PRIVATE KEY-----\n"
    found = problems(tmp_path, dotenv=f"COINBASE_MASTER_API_SECRET={pem}")
    assert found
    assert all(text.startswith(".env:") and "MHc" not in text and "oAo" not in text for text in found)


def test_an_option_of_the_command_line_is_refused_by_its_name(tmp_path: Path) -> None:
    found = problems(tmp_path, overrides={"metrics_prot": "1"})
    assert found == ["metrics_prot on the command line is not a setting; did you mean metrics_port?"]


def test_everything_wrong_is_said_in_one_go_in_the_order_of_the_file(tmp_path: Path) -> None:
    users = tmp_path / "config" / "users"
    users.mkdir(parents=True)
    (users / "retail_kraken.json").write_text("[}")
    yaml = "log_json: maybe\nnonsense: 1\nrisk:\n  max_positions: 0\nlog_json: true\n"
    found = problems(tmp_path, yaml, dotenv="foo bar\n", environ={"STATE_DIR": ""})
    places = [text.split(" ")[0] for text in found]
    assert places[:2] == ["config/nija.yaml:5:", ".env:1:"]
    assert [place for place in places[2:6] if place != "STATE_DIR"] == [
        f"config/nija.yaml:{line}:" for line in (1, 2, 4)
    ]
    assert "STATE_DIR" in places[2:6]
    assert places[6].startswith("config/users/retail_kraken.json")


def test_a_value_meant_as_a_secret_is_in_no_message(tmp_path: Path) -> None:
    found = problems(tmp_path, "paper: {exchange_token: [sesame]}\n")
    assert found == ["config/nija.yaml:1: paper.exchange_token must be text, not a list"]


def test_a_variable_inside_a_list_or_a_wrong_section_is_refused_by_name(tmp_path: Path) -> None:
    yaml = "copying:\n  deny_symbols: [BTC/USD]\nkraken: 5\nmasters: 5\n"
    environ = {"NIJA__COPYING__DENY_SYMBOLS__0": "x", "NIJA__MASTERS__KRAKEN__ENABLED": "yes"}
    assert problems(tmp_path, yaml, environ=environ) == [
        "NIJA__COPYING__DENY_SYMBOLS__0 must be a list of symbols such as BTC/USD, not a section",
        "config/nija.yaml:3: kraken must be a section of name: value, not '5'",
        "NIJA__MASTERS__KRAKEN__ENABLED must be a list, not a section",
    ]


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(PIECES, max_size=30).map("".join), path=st.lists(WORDS, max_size=5).map("__".join))
def test_nothing_that_is_written_breaks_the_reading(tmp_path: Path, text: str, path: str) -> None:
    for problem in problems(tmp_path, text, environ={f"NIJA__{path}": "1"}):
        assert problem.startswith(("config/nija.yaml", "NIJA__", "masters: ", "copying: ")), problem
