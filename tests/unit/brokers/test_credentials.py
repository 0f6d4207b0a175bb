"""From what stands in the environment to credentials, or to a sentence that names the variable and its defect."""

import base64
import json
import textwrap
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.brokers.credential_names import unknown_variables
from bot.brokers.credentials import Credentials, MissingCredentials, duplicate_keys, find_credentials
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError

KEY = "K" * 55 + "7"
SECRET = base64.b64encode(bytes(range(64))).decode()
OTHER_SECRET = base64.b64encode(bytes(range(64, 128))).decode()
KEY_NAME = "organizations/1b4e28ba-2fa1-11d2-883f-0016d3cca427/apiKeys/6fa459ea-ee8a-3ca4-894e-db77e160355e"
USERS = ("daivon_frazier", "tania_gilbert")
MASTER = AccountRef.master(BrokerType.KRAKEN)
DAIVON = AccountRef.user(BrokerType.KRAKEN, "daivon_frazier")
COINBASE = AccountRef.master(BrokerType.COINBASE)
OKX = AccountRef.master(BrokerType.OKX)


def pair(prefix: str, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    return {f"{prefix}_API_KEY": key, f"{prefix}_API_SECRET": secret}


def found(account: AccountRef, environ: dict[str, str], users: tuple[str, ...] = USERS) -> Credentials:
    credentials = find_credentials(account, users, environ)
    assert isinstance(credentials, Credentials)
    return credentials


def refusal(account: AccountRef, environ: dict[str, str], users: tuple[str, ...] = USERS) -> str:
    with pytest.raises(ConfigurationError) as error:
        find_credentials(account, users, environ)
    return str(error.value)


# -- names ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("account", "prefix"),
    [
        (MASTER, "KRAKEN_MASTER"),
        (MASTER, "KRAKEN"),
        (DAIVON, "KRAKEN_USER_DAIVON_FRAZIER"),
        (DAIVON, "KRAKEN_USER_DAIVON"),
        (AccountRef.user(BrokerType.BINANCE, "tania_gilbert"), "BINANCE_USER_TANIA"),
        (AccountRef.master(BrokerType.ALPACA), "ALPACA"),
    ],
)
def test_every_documented_name_is_read(account: AccountRef, prefix: str) -> None:
    credentials = found(account, pair(prefix))
    assert credentials.api_key == KEY
    assert credentials.api_secret.get_secret_value() == SECRET
    assert credentials.variables == (f"{prefix}_API_KEY", f"{prefix}_API_SECRET")
    assert credentials.warnings == ()


def test_nothing_set_is_not_an_error_and_says_what_to_set() -> None:
    missing = find_credentials(DAIVON, USERS, {"PATH": "/bin"})
    assert missing == MissingCredentials(
        ("KRAKEN_USER_DAIVON_FRAZIER_API_KEY", "KRAKEN_USER_DAIVON_FRAZIER_API_SECRET")
    )
    assert "set KRAKEN_USER_DAIVON_FRAZIER_API_KEY and KRAKEN_USER_DAIVON_FRAZIER_API_SECRET" in str(missing)


@pytest.mark.parametrize("value", ["", "   ", "\n", "\ufeff", "\u200b \t"])
def test_a_variable_that_is_set_but_blank_is_missing_and_called_blank(value: str) -> None:
    missing = find_credentials(MASTER, USERS, pair("KRAKEN_MASTER", value, value))
    assert isinstance(missing, MissingCredentials)
    assert missing.blank == ("KRAKEN_MASTER_API_KEY", "KRAKEN_MASTER_API_SECRET")
    assert "blank" in str(missing)


def test_one_account_never_reads_anothers_variables() -> None:
    environ = pair("KRAKEN_USER_TANIA_GILBERT") | pair("COINBASE_MASTER")
    assert isinstance(find_credentials(MASTER, USERS, environ), MissingCredentials)
    assert isinstance(find_credentials(DAIVON, USERS, environ), MissingCredentials)


def test_the_alias_may_repeat_the_masters_value() -> None:
    assert found(MASTER, pair("KRAKEN_MASTER") | pair("KRAKEN")).api_key == KEY


def test_two_names_with_different_values_are_refused_naming_both() -> None:
    text = refusal(MASTER, pair("KRAKEN_MASTER") | pair("KRAKEN", secret=OTHER_SECRET))
    assert "KRAKEN_MASTER_API_SECRET" in text and "KRAKEN_API_SECRET" in text
    text = refusal(DAIVON, pair("KRAKEN_USER_DAIVON") | pair("KRAKEN_USER_DAIVON_FRAZIER", key="L" * 56))
    assert "KRAKEN_USER_DAIVON_FRAZIER_API_KEY and KRAKEN_USER_DAIVON_API_KEY" in text


def test_a_first_name_that_two_users_share_is_refused_with_the_name_to_use() -> None:
    users = ("john_doe", "john_smith")
    text = refusal(AccountRef.user(BrokerType.KRAKEN, "john_doe"), pair("KRAKEN_USER_JOHN"), users)
    assert "john_doe or john_smith" in text
    assert "use KRAKEN_USER_JOHN_DOE_API_KEY" in text


def test_a_full_name_decides_even_if_the_first_name_is_ambiguous() -> None:
    users = ("john_doe", "john_smith")
    environ = pair("KRAKEN_USER_JOHN", key="L" * 56) | pair("KRAKEN_USER_JOHN_DOE")
    assert found(AccountRef.user(BrokerType.KRAKEN, "john_doe"), environ, users).api_key == KEY


def test_a_name_that_is_another_users_whole_id_is_only_that_users() -> None:
    users = ("john", "john_smith")
    environ = pair("KRAKEN_USER_JOHN")
    assert found(AccountRef.user(BrokerType.KRAKEN, "john"), environ, users).api_key == KEY
    assert isinstance(
        find_credentials(AccountRef.user(BrokerType.KRAKEN, "john_smith"), users, environ), MissingCredentials
    )


def test_ids_that_fall_together_in_capitals_are_refused() -> None:
    text = refusal(AccountRef.user(BrokerType.KRAKEN, "a-b"), pair("KRAKEN_USER_A_B"), ("a-b", "a_b"))
    assert "a-b or a_b" in text


@pytest.mark.parametrize(("kept", "lost"), [("API_KEY", "API_SECRET"), ("API_SECRET", "API_KEY")])
def test_half_a_pair_is_an_error_naming_the_missing_half(kept: str, lost: str) -> None:
    environ = {f"KRAKEN_MASTER_{kept}": pair("X")[f"X_{kept}"]}
    assert f"KRAKEN_MASTER_{lost} is missing" in refusal(MASTER, environ)
    assert f"KRAKEN_MASTER_{lost} is blank" in refusal(MASTER, environ | {f"KRAKEN_MASTER_{lost}": " "})


def test_okx_needs_its_pass_phrase_too() -> None:
    environ = pair("OKX_MASTER", "6fa459ea-ee8a", "0F" * 16)
    assert "OKX_MASTER_API_PASSPHRASE is missing" in refusal(OKX, environ)
    credentials = found(OKX, environ | {"OKX_MASTER_API_PASSPHRASE": "Correct horse 9"})
    assert credentials.api_passphrase is not None
    assert credentials.api_passphrase.get_secret_value() == "Correct horse 9"


# -- repairs and refusals ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "spoil",
    ['"{}"', "'{}'", "  {}", "{} \r\n", "\ufeff{}", "{}\u00a0", ' "{}" ', "“{}”", "`{}`"],
)
def test_edges_and_quotes_are_repaired_with_a_warning(spoil: str) -> None:
    credentials = found(MASTER, pair("KRAKEN_MASTER", secret=spoil.format(SECRET)))
    assert credentials.api_secret.get_secret_value() == SECRET
    assert any("KRAKEN_MASTER_API_SECRET" in warning for warning in credentials.warnings)


@pytest.mark.parametrize(
    "placeholder",
    ["your_key_here", "None", "null", "changeme", "change-me", "<api key>", "xxxxxxxx", "****", "${KRAKEN_KEY}", "TODO",
     "YOUR_API_SECRET", "paste your key here", '"None"'],
)  # fmt: skip
def test_a_placeholder_is_refused_by_its_variables_name(placeholder: str) -> None:
    text = refusal(MASTER, pair("KRAKEN_MASTER", secret=placeholder))
    assert "KRAKEN_MASTER_API_SECRET holds a placeholder" in text


@pytest.mark.parametrize(
    ("secret", "defect"),
    [
        (SECRET[:-2], "lacks the =="),
        (SECRET[:40], "decodes to 30 bytes"),
        (SECRET[:41], "cut off"),
        (base64.b64encode(bytes(65)).decode(), "decodes to 65 bytes"),
        (SECRET[:40] + "\n" + SECRET[40:], "line break inside"),
        (SECRET.replace("/", "_").replace("+", "-"), "- or _"),
        (SECRET[:-3] + "!==", "not base64"),
        ('"' + SECRET, "quote at one end"),
        (SECRET[:10] + "…" + SECRET[11:], "not ASCII) at position 11"),
        (SECRET[:10] + "\0" + SECRET[10:], "NUL"),
        ("KRAKEN_MASTER_API_SECRET=" + SECRET, "variable's name as well"),
        ("-----BEGIN EC PRIVATE KEY-----", "Coinbase"),
        ("A" * 30_000, "too long"),
    ],
)
def test_a_damaged_kraken_secret_is_refused_by_its_defect(secret: str, defect: str) -> None:
    text = refusal(MASTER, pair("KRAKEN_MASTER", secret=secret))
    assert "KRAKEN_MASTER_API_SECRET" in text
    assert defect in text
    assert secret not in text and SECRET[:16] not in text


def test_swapped_key_and_secret_are_called_swapped() -> None:
    assert "swapped" in refusal(MASTER, pair("KRAKEN_MASTER", SECRET, KEY))
    assert "swapped" in refusal(COINBASE, pair("COINBASE_MASTER", pem(), KEY_NAME))


def test_all_defects_of_a_pair_are_said_at_once() -> None:
    text = refusal(MASTER, pair("KRAKEN_MASTER", "None", "changeme"))
    assert "KRAKEN_MASTER_API_KEY holds" in text and "KRAKEN_MASTER_API_SECRET holds" in text


# -- Coinbase's PEM ---------------------------------------------------------------------------------------------------
PRIVATE = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())


def pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = PRIVATE,
    *,
    pkcs8: bool = False,
    passphrase: bytes | None = None,
) -> str:
    kind = serialization.PrivateFormat
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    form = kind.PKCS8 if pkcs8 or passphrase else kind.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def body(text: str) -> str:
    return "".join(text.strip().splitlines()[1:-1])


PASTED: dict[str, Callable[[str], str]] = {
    "as issued": lambda text: text,
    "last line break missing": str.strip,
    r"\n written out": lambda text: text.replace("\n", "\\n"),
    r"\n written out twice": lambda text: text.replace("\n", "\\\\n"),
    r"\r\n written out": lambda text: text.replace("\n", "\\r\\n"),
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "double quotes": lambda text: f'"{text}"',
    "quotes and escapes": lambda text: '"' + text.replace("\n", "\\n") + '"',
    "on one line with spaces": lambda text: text.strip().replace("\n", " "),
    "on one line without spaces": lambda text: text.replace("\n", ""),
    "indented": lambda text: textwrap.indent(text, "    "),
    "base64 of it all": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of it all, wrapped": lambda text: base64.encodebytes(text.encode()).decode(),
    "the whole key file": lambda text: json.dumps({"name": KEY_NAME, "privateKey": text}),
    "only the middle": body,
    "with its parameters before": lambda text: (
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + text
    ),
}


@pytest.mark.parametrize("pkcs8", [False, True], ids=["SEC1", "PKCS8"])
@pytest.mark.parametrize("form", PASTED)
def test_a_private_key_is_read_however_it_was_pasted(form: str, pkcs8: bool) -> None:
    credentials = found(COINBASE, pair("COINBASE_MASTER", KEY_NAME, PASTED[form](pem(pkcs8=pkcs8))))
    loaded = serialization.load_pem_private_key(credentials.api_secret.get_secret_value().encode(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    assert loaded.private_numbers() == PRIVATE.private_numbers()
    assert credentials.api_secret.get_secret_value().endswith(" PRIVATE KEY-----\n")


def test_a_key_as_issued_needs_no_warning_and_a_repaired_one_has_one() -> None:
    assert found(COINBASE, pair("COINBASE_MASTER", KEY_NAME, pem())).warnings == ()
    escaped = found(COINBASE, pair("COINBASE_MASTER", KEY_NAME, pem().replace("\n", "\\n")))
    assert any(r"COINBASE_MASTER_API_SECRET has \n written out" in warning for warning in escaped.warnings)


REFUSED_KEYS: dict[str, tuple[str, str]] = {
    "footer gone": (pem().partition("-----END")[0], "its last line -----END EC PRIVATE KEY-----"),
    "footer cut": (pem().strip()[:-8], "its last line -----END EC PRIVATE KEY-----"),
    "header gone": (pem().partition("\n")[2], "lacks its first line"),
    "header damaged": (pem().replace("-----BEGIN EC", "---BEGIN EC"), "lacks its first line"),
    "middle cut": (pem().replace(body(pem())[20:60], ""), "damaged"),
    "another character": (pem().replace(body(pem())[20:24], "#" + body(pem())[21:24]), "not base64"),
    "public": (
        PRIVATE.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "public key",
    ),
    "pass phrase": (pem(passphrase=b"abc"), "encrypted"),
    "other curve": (pem(ec.derive_private_key(77, ec.SECP384R1())), "P-256"),
    "Ed25519": (pem(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))), pkcs8=True), "Ed25519"),
    "bare Ed25519": (base64.b64encode(bytes(range(64))).decode(), "Ed25519"),
    "no key": ("correct horse battery staple", "not a PEM"),
    "endless brackets": ('{"a":' + "[" * 19_000, "begins like a key file"),
    "not the key file": ('{"name": 1}', "privateKey"),
}


@pytest.mark.parametrize("defect", REFUSED_KEYS)
def test_an_unusable_private_key_is_refused_by_its_defect(defect: str) -> None:
    value, sentence = REFUSED_KEYS[defect]
    text = refusal(COINBASE, pair("COINBASE_MASTER", KEY_NAME, value))
    assert "COINBASE_MASTER_API_SECRET" in text
    assert sentence in text
    assert body(pem())[:16] not in text


def test_a_key_name_of_another_form_is_refused() -> None:
    assert "COINBASE_MASTER_API_KEY is not a Coinbase key name" in refusal(
        COINBASE, pair("COINBASE_MASTER", "AbCdEf0123456789", pem())
    )


# -- secrecy ----------------------------------------------------------------------------------------------------------
def test_credentials_never_show_their_values() -> None:
    environ = pair("OKX_MASTER", "6fa459ea-ee8a-3ca4", "0F" * 16) | {"OKX_MASTER_API_PASSPHRASE": "pw-9x"}
    credentials = found(OKX, environ)
    shown = f"{credentials!r} {credentials} {credentials.masked_key} {credentials.fingerprint}"
    assert "6fa459ea" not in shown and "0F0F" not in shown and "pw-9x" not in shown
    assert credentials.masked_key == "****3ca4"


@settings(deadline=None)  # a busy machine is no defect
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_refusal_ever_contains_what_was_pasted(before: str, after: str) -> None:
    secret = "Zq7xW9vK3p"
    value = before + secret + after
    for account, environ in (
        (MASTER, pair("KRAKEN_MASTER", secret=value)),
        (COINBASE, pair("COINBASE_MASTER", KEY_NAME, value)),
    ):
        try:
            find_credentials(account, USERS, environ)
        except ConfigurationError as error:
            assert secret not in str(error)


# -- around them ------------------------------------------------------------------------------------------------------
def test_one_key_in_two_accounts_is_found() -> None:
    same = found(MASTER, pair("KRAKEN_MASTER"))
    other = found(MASTER, pair("KRAKEN_MASTER", key="L" * 56))
    tania = AccountRef.user(BrokerType.KRAKEN, "tania_gilbert")
    assert duplicate_keys({MASTER: same, DAIVON: same, tania: other}) == ((MASTER, DAIVON),)
    assert duplicate_keys({MASTER: same, tania: other}) == ()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("KRAKEN_MASTER_APIKEY", "KRAKEN_MASTER_API_KEY"),
        ("KRAKEN_MASTER_SECRET", "KRAKEN_MASTER_API_SECRET"),
        ("KRAKEN_USER_DAVION_API_KEY", "KRAKEN_USER_DAIVON_API_KEY"),
        ("kraken_master_api_key", "KRAKEN_MASTER_API_KEY"),
        ("OKX_MASTER_PASSPHRASE", "OKX_MASTER_API_PASSPHRASE"),
        ("KARKEN_MASTER_API_KEY", "KRAKEN_MASTER_API_KEY"),
        ("NIJA_FAILPOINT", "NIJA_FAILPOINTS"),
        ("NIJA_QQQQ", None),
    ],
)
def test_a_name_like_ours_that_nothing_reads_is_reported(name: str, nearest: str | None) -> None:
    (unknown,) = unknown_variables({name: "x"}, USERS, {"NIJA_FAILPOINTS"})
    assert (unknown.name, unknown.nearest) == (name, nearest)
    assert name in str(unknown)


def test_known_names_and_other_peoples_names_are_not_reported() -> None:
    environ = dict.fromkeys(
        ["PATH", "HOME", "PORT", "KRAKEN_API_KEY", "KRAKEN_USER_TANIA_API_SECRET", "COINBASE_MASTER_API_KEY"], ""
    )
    assert unknown_variables(environ, USERS) == []
