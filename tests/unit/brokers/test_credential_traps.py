"""Keys as people really paste them, of each brokerage: repaired, or refused with the variable and the defect."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.brokers.credential_names import unknown_variables
from bot.brokers.credentials import Credentials, MissingCredentials, find_credentials
from bot.domain.account import AccountRef, BrokerType
from bot.domain.errors import ConfigurationError
from bot.observability.redactor import Redactor

OKX_KEY, OKX_SECRET = "6fa459ea-ee8a-3ca4-894e-db77e160355e", "0123456789ABCDEF" * 2
PHRASE = "Correct-horse 9!"
TOKEN_KEY, TOKEN_SECRET = "Kq7" * 21 + "z", "Wm4" * 21 + "y"
ALPACA_KEY, ALPACA_SECRET = "AKZ4M6N8P2Q4R6S8T0UV", "h9VYq2dW4eR6tY8uI0oP1aS3dF5gH7jK9lZxCvBn"


def environ(broker: BrokerType, key: str, secret: str, phrase: str | None = None) -> dict[str, str]:
    prefix = f"{broker.value.upper()}_MASTER_API"
    found = {f"{prefix}_KEY": key, f"{prefix}_SECRET": secret}
    return found if phrase is None else found | {f"{prefix}_PASSPHRASE": phrase}


def look(broker: BrokerType, variables: dict[str, str]) -> Credentials:
    found = find_credentials(AccountRef.master(broker), ["daivon_frazier"], variables)
    assert isinstance(found, Credentials)
    return found


def refusal(broker: BrokerType, variables: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        find_credentials(AccountRef.master(broker), ["daivon_frazier"], variables)
    said = str(error.value)
    assert not any(value in said for value in variables.values() if len(value) > 3)
    return said


# -- Coinbase ---------------------------------------------------------------------------------------------------------
def a_pem(kind: serialization.PrivateFormat) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


PASTES: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    r"with \n": lambda pem: pem.replace("\n", "\\n"),
    "in quotes": lambda pem: f'"{pem.strip()}"',
    r"in quotes with \n": lambda pem: '"' + pem.replace("\n", "\\n") + '"',
    "on one line": lambda pem: pem.replace("\n", " "),
    "in base64": lambda pem: base64.b64encode(pem.encode()).decode(),
    "with windows line ends": lambda pem: pem.replace("\n", "\r\n"),
    "in the key file": lambda pem: json.dumps({"name": "organizations/a/apiKeys/b", "privateKey": pem}),
}


@pytest.mark.parametrize("kind", [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8])
@pytest.mark.parametrize("paste", PASTES)
def test_a_coinbase_key_is_found_in_whatever_form_it_was_pasted(kind: serialization.PrivateFormat, paste: str) -> None:
    pem = a_pem(kind)
    variables = environ(BrokerType.COINBASE, "organizations/1b4e28ba-2fa1/apiKeys/6fa459ea-ee8a", PASTES[paste](pem))
    found = look(BrokerType.COINBASE, variables)
    assert found.api_secret.get_secret_value() == pem
    assert bool(found.warnings) == (paste != "as it is")


# -- OKX --------------------------------------------------------------------------------------------------------------
def test_okx_without_its_pass_phrase_is_refused_and_the_variable_is_named() -> None:
    said = refusal(BrokerType.OKX, environ(BrokerType.OKX, OKX_KEY, OKX_SECRET))
    assert said == (
        "OKX_MASTER_API_KEY and OKX_MASTER_API_SECRET is set but OKX_MASTER_API_PASSPHRASE is missing; "
        "all of them are needed"
    )


def test_the_pass_phrase_of_a_user_has_the_same_names_as_the_key() -> None:
    variables = {
        "OKX_USER_DAIVON_API_KEY": OKX_KEY,
        "OKX_USER_DAIVON_FRAZIER_API_SECRET": OKX_SECRET,
        "OKX_USER_DAIVON_API_PASSPHRASE": PHRASE,
    }
    found = find_credentials(AccountRef.user(BrokerType.OKX, "daivon_frazier"), ["daivon_frazier"], variables)
    assert isinstance(found, Credentials) and found.api_passphrase is not None
    assert found.api_passphrase.get_secret_value() == PHRASE


@pytest.mark.parametrize("pasted", [f"  {PHRASE} ", f"'{PHRASE}'", f'"{PHRASE}"', f"\ufeff{PHRASE}"])
def test_spaces_and_quotes_around_a_pass_phrase_are_taken_off_and_those_inside_stay(pasted: str) -> None:
    found = look(BrokerType.OKX, environ(BrokerType.OKX, OKX_KEY, OKX_SECRET, pasted))
    assert found.api_passphrase is not None and found.api_passphrase.get_secret_value() == PHRASE
    assert len(found.warnings) == 1 and "OKX_MASTER_API_PASSPHRASE" in found.warnings[0]


@pytest.mark.parametrize(
    ("key", "secret", "phrase", "said"),
    [
        (OKX_SECRET, OKX_KEY, PHRASE, "OKX_MASTER_API_KEY and OKX_MASTER_API_SECRET are swapped"),
        (OKX_KEY, OKX_SECRET, OKX_SECRET, "OKX_MASTER_API_PASSPHRASE holds the API secret"),
        (OKX_KEY, OKX_SECRET, OKX_KEY, "OKX_MASTER_API_PASSPHRASE holds the API key"),
        (OKX_KEY, OKX_SECRET, "Correct\nhorse 9", "OKX_MASTER_API_PASSPHRASE has a line break inside"),
        (OKX_KEY, OKX_SECRET, "<passphrase>", "OKX_MASTER_API_PASSPHRASE holds a placeholder"),
        ("organizations/a/apiKeys/b", OKX_SECRET, PHRASE, "OKX_MASTER_API_KEY holds a Coinbase credential"),
        (OKX_KEY, "0123 4567", PHRASE, "OKX_MASTER_API_SECRET has white space or a line break inside"),
    ],
)
def test_a_wrong_okx_key_is_refused_by_name(key: str, secret: str, phrase: str, said: str) -> None:
    assert said in refusal(BrokerType.OKX, environ(BrokerType.OKX, key, secret, phrase))


def test_a_pass_phrase_that_okx_would_hardly_take_is_tried_with_a_warning() -> None:
    found = look(BrokerType.OKX, environ(BrokerType.OKX, OKX_KEY, OKX_SECRET, "Ab1!"))
    assert found.warnings == ("OKX_MASTER_API_PASSPHRASE has 4 characters; OKX asks for 8 to 32. It may be cut off",)


def test_no_log_line_shows_any_of_a_key() -> None:
    found = look(BrokerType.OKX, environ(BrokerType.OKX, OKX_KEY, OKX_SECRET, PHRASE))
    redactor = Redactor(found.secrets)
    said = redactor.clean(f"headers {{'OK-ACCESS-PASSPHRASE': '{PHRASE}', 'OK-ACCESS-KEY': '{OKX_KEY}'}} {OKX_SECRET}")
    assert PHRASE not in said and OKX_KEY not in said and OKX_SECRET not in said
    assert PHRASE not in repr(found) and OKX_SECRET not in repr(found)


# -- Binance and Alpaca -----------------------------------------------------------------------------------------------
def test_a_binance_secret_that_is_a_private_key_is_refused_with_the_kind_that_works() -> None:
    said = refusal(BrokerType.BINANCE, environ(BrokerType.BINANCE, TOKEN_KEY, a_pem(serialization.PrivateFormat.PKCS8)))
    assert "BINANCE_MASTER_API_SECRET holds a PEM private key; make one that Binance itself generates (HMAC)" in said


@pytest.mark.parametrize(
    ("key", "secret", "said"),
    [
        (ALPACA_SECRET, ALPACA_KEY, "ALPACA_MASTER_API_KEY and ALPACA_MASTER_API_SECRET are swapped"),
        ("CKZ4M6N8P2Q4R6S8T0UV", ALPACA_SECRET, "ALPACA_MASTER_API_KEY is a key of Alpaca's Broker API"),
        (ALPACA_KEY, ALPACA_KEY, "hold the same value"),
    ],
)
def test_a_wrong_alpaca_key_is_refused_by_name(key: str, secret: str, said: str) -> None:
    assert said in refusal(BrokerType.ALPACA, environ(BrokerType.ALPACA, key, secret))


@pytest.mark.parametrize(
    ("broker", "key", "secret"),
    [(BrokerType.BINANCE, TOKEN_KEY, TOKEN_SECRET), (BrokerType.ALPACA, ALPACA_KEY, ALPACA_SECRET)],
)
def test_a_good_pair_is_taken_without_a_word(broker: BrokerType, key: str, secret: str) -> None:
    found = look(broker, environ(broker, key, secret))
    assert (found.api_key, found.api_secret.get_secret_value(), found.warnings) == (key, secret, ())


# -- names ------------------------------------------------------------------------------------------------------------
def test_an_account_without_any_variable_names_all_of_them() -> None:
    missing = find_credentials(AccountRef.master(BrokerType.OKX), [], {})
    assert isinstance(missing, MissingCredentials)
    assert str(missing) == "set OKX_MASTER_API_KEY and OKX_MASTER_API_SECRET and OKX_MASTER_API_PASSPHRASE"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("OKX_MASTER_API_PASSPHRAZE", "OKX_MASTER_API_PASSPHRASE"),
        ("OKX_PASSPHRASE", "OKX_API_PASSPHRASE"),
        ("OKX_USER_DAIVON_PASSPHRASE", "OKX_USER_DAIVON_API_PASSPHRASE"),
        ("BINANCE_API_SECRET_KEY", "BINANCE_API_SECRET"),
        ("APLACA_MASTER_API_KEY", "ALPACA_MASTER_API_KEY"),
        ("ALPACA_MASTER_SECRET_KEY", "ALPACA_MASTER_API_SECRET"),
    ],
)
def test_a_misspelt_variable_of_any_brokerage_is_reported_with_the_nearest(name: str, nearest: str) -> None:
    (unknown,) = unknown_variables({name: "x"}, ["daivon_frazier"])
    assert (unknown.name, unknown.nearest) == (name, nearest)
