"""Errors of our libraries, each with a secret in it, in six writings: none of it gets into the log.

Every path is also walked with nothing to be kept secret, which must show the canary: one that shows none is no proof.
"""

import asyncio
import base64
import gc
import http.client
import io
import json
import logging
import smtplib
import subprocess
import sys
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import alembic.util
import ccxt
import dotenv
import jwt
import pydantic
import pytest
import requests
import sqlalchemy
import urllib3
import websockets
import yaml

from bot.observability.logs import log_the_uncaught, set_up_logging
from bot.observability.redactor import Redactor

CANARY = "Zk9/canary+Sec'ret==Q7xw2VbT0pLm5nRd8uYh"
WRITINGS: Mapping[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "base64 of name:secret": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "repr": lambda text: repr(f'"{text}')[2:-1],
}
log = logging.getLogger("canaries")
CLOSED = "http://127.0.0.1:9"


@dataclass
class _Order:
    key: str


class _Typed(pydantic.BaseModel):
    number: int


class _FailsAtItsEnd:
    def __init__(self, text: str) -> None:
        self._text = text

    def __del__(self) -> None:
        raise RuntimeError(self._text)


# -- what asks a venue ------------------------------------------------------------------------------------------------
def refused_connection(text: str) -> None:
    _session().get(f"{CLOSED}/private?signature={text}")


def refused_proxy(text: str) -> None:
    _session().get("http://venue.invalid/x", params={"key": text}, proxies={"http": CLOSED})


def header_with_a_line_break(text: str) -> None:
    _session().get(CLOSED, headers={"API-Key": f"{text}\nX"})


def header_that_is_no_text(text: str) -> None:
    _session().get(CLOSED, headers={"API-Key": [text]})  # type: ignore[dict-item]


def address_without_a_scheme(text: str) -> None:
    _session().get(f"{text}/private")


def address_of_another_scheme(text: str) -> None:
    _session().get(f"venue://{text}")


def address_that_cannot_be_read(text: str) -> None:
    _session().get(f"http://[{text}")


def retries_of_urllib3(text: str) -> None:
    urllib3.PoolManager().request("GET", f"{CLOSED}/{text}", retries=0)


def location_of_urllib3(text: str) -> None:
    raise urllib3.exceptions.LocationParseError(text)


def path_of_http_client(text: str) -> None:
    http.client.HTTPConnection("127.0.0.1").request("GET", f"/{text} \n")


def address_of_urllib(text: str) -> None:
    urllib.request.urlopen(f"{text}?")


def address_of_a_socket(text: str) -> None:
    raise websockets.InvalidURI(f"wss://user:{text}@venue", "no path")


def header_of_a_socket(text: str) -> None:
    raise websockets.InvalidHeader("Authorization", text)


def refusal_in_the_words_of_ccxt(text: str) -> None:
    ccxt.kraken().throw_exactly_matched_exception({"bad": ccxt.AuthenticationError}, "bad", f"kraken {text}")


def body_that_is_no_json(text: str) -> None:
    body = f"<html>{text}"
    try:
        json.loads(body)
    except ValueError as error:
        raise RuntimeError(f"no JSON: {body!r}") from error


def token_that_cannot_be_signed(text: str) -> None:
    raise jwt.InvalidKeyError(f"Could not parse the provided key: {text!r}")


# -- what reads settings and writes the store -------------------------------------------------------------------------
def value_that_pydantic_refuses(text: str) -> None:
    _Typed.model_validate({"number": text})


def line_that_yaml_refuses(text: str) -> None:
    yaml.safe_load(f"key: [{json.dumps(text)}\nother: }}")


def line_of_dotenv(text: str) -> None:
    values = dotenv.dotenv_values(stream=io.StringIO(f"SECRET={json.dumps(text)}"))
    raise ValueError(f"these are not known: {dict(values)}")


def parameters_of_a_statement(text: str) -> None:
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        connection.execute(sqlalchemy.text("select * from nothing where key = :key"), {"key": text})


def address_of_a_database(text: str) -> None:
    url = sqlalchemy.URL.create("postgresql", "nija", text, "db", 5432, "nija")
    raise RuntimeError(f"cannot open {url.render_as_string(hide_password=False)}")


def migration_that_fails(text: str) -> None:
    raise alembic.util.CommandError(f"Can't locate revision at postgresql://nija:{text}@db/nija")


def file_that_is_not_there(text: str) -> None:
    Path(f"/nowhere/{text}").read_text(encoding="utf-8")


def command_that_fails(text: str) -> None:
    subprocess.run(["false", text], check=True)


def mail_that_is_refused(text: str) -> None:
    raise smtplib.SMTPAuthenticationError(535, f"no such password: {text}".encode())


# -- Python itself -----------------------------------------------------------------------------------------------------
def number_that_is_none(text: str) -> None:
    int(text)


def name_that_is_missing(text: str) -> None:
    {"a": 1}[text]


def attribute_that_is_missing(text: str) -> None:
    getattr(object(), text)


def bytes_that_are_no_text(text: str) -> None:
    raw = text.encode() + b"\xff"
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not readable: {error.object!r}") from error


def error_from_an_error(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise RuntimeError("it did not work") from error


def group_of_errors(text: str) -> None:
    raise ExceptionGroup("several", [ValueError(text), TypeError("other")])


def note_on_an_error(text: str) -> None:
    error = ValueError("it did not work")
    error.add_note(f"while {text} was used")
    raise error


def error_over_several_lines(text: str) -> None:
    raise ValueError(f"first line\n{text}\nlast line")


# -- lines of the log --------------------------------------------------------------------------------------------------
def said_of_a_dataclass(text: str) -> None:
    log.warning("sent %s", _Order(text))


def said_of_a_mapping(text: str) -> None:
    log.warning("headers: %s", {"API-Key": text, "n": Decimal(1)})


def said_of_bytes(text: str) -> None:
    log.warning("sent %r", text.encode())


def said_with_the_stack(text: str) -> None:
    log.warning("used %s", text, stack_info=True)


def said_with_the_wrong_values(text: str) -> None:
    log.warning(f"%d %s {text}", "x")


def said_in_two_lines(text: str) -> None:
    log.warning("one\n%s", text)


def warned_by_python(text: str) -> None:
    warnings.warn(f"{text} is deprecated", UserWarning, stacklevel=1)


def not_caught_in_a_thread(text: str) -> None:
    thread = threading.Thread(target=error_over_several_lines, args=(text,))
    thread.start()
    thread.join(30)


def not_caught_at_an_end(text: str) -> None:
    _FailsAtItsEnd(text)
    gc.collect()


def not_fetched_from_a_task(text: str) -> None:
    async def leave() -> None:
        task = asyncio.ensure_future(asyncio.to_thread(error_over_several_lines, text))
        await asyncio.wait([task])

    asyncio.run(leave())
    gc.collect()


PATHS: tuple[Callable[[str], None], ...] = (
    refused_connection, refused_proxy, header_with_a_line_break, header_that_is_no_text, address_without_a_scheme,
    address_of_another_scheme, address_that_cannot_be_read, retries_of_urllib3, location_of_urllib3,
    path_of_http_client, address_of_urllib, address_of_a_socket, header_of_a_socket, refusal_in_the_words_of_ccxt,
    body_that_is_no_json, token_that_cannot_be_signed, value_that_pydantic_refuses, line_that_yaml_refuses,
    line_of_dotenv, parameters_of_a_statement, address_of_a_database, migration_that_fails, file_that_is_not_there,
    command_that_fails, mail_that_is_refused, number_that_is_none, name_that_is_missing, attribute_that_is_missing,
    bytes_that_are_no_text, error_from_an_error, group_of_errors, note_on_an_error, error_over_several_lines,
    said_of_a_dataclass, said_of_a_mapping, said_of_bytes, said_with_the_stack, said_with_the_wrong_values,
    said_in_two_lines, warned_by_python, not_caught_in_a_thread, not_caught_at_an_end, not_fetched_from_a_task,
)  # fmt: skip


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@contextmanager
def _our_logging(state: Path, secrets: list[str]) -> Iterator[io.StringIO]:
    """As the program sets it up, taken back afterwards."""
    root, out = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    hooks = [(sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("always")
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", out)
        for owner, name in hooks:
            patch.setattr(owner, name, getattr(owner, name))
        root.handlers.clear()  # pytest's own show what is logged before it is cleaned
        try:
            set_up_logging(state, level="INFO", as_json=False, redactor=Redactor(secrets))
            log_the_uncaught()
            yield out
        finally:
            logging.captureWarnings(capture=False)
            for handler in root.handlers:
                handler.close()
            root.handlers[:] = before
            root.setLevel(level)


def shown(path: Callable[[str], None], text: str, state: Path, secrets: list[str]) -> str:
    """What the log and stderr say after a walk along the path."""
    with _our_logging(state, secrets) as out:
        try:
            path(text)
        except Exception:
            log.exception("it went wrong")
        return out.getvalue() + (state / "nija.log").read_text(encoding="utf-8")


# Long enough to tell that a canary sings, too short for what may be left at its ends.
PIECE = 16


def pieces_of(text: str) -> set[str]:
    return {text[at : at + PIECE] for at in range(len(text) - PIECE + 1)}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_no_error_tells_a_secret_in_any_writing(path: Callable[[str], None], tmp_path: Path) -> None:
    told = 0
    for name, write in WRITINGS.items():
        text = write(CANARY)
        mine = pieces_of(text) - pieces_of(write("user:"))
        told += any(piece in shown(path, text, tmp_path / _new(tmp_path), []) for piece in mine)
        said = shown(path, text, tmp_path / _new(tmp_path), [CANARY])
        assert said, name
        inner = mine - pieces_of(text[: 2 * PIECE]) if name.startswith("base64") else mine
        assert not [piece for piece in inner if piece in said], f"{name}: {said}"
    assert told >= 3, "a path that shows no canary proves nothing"


def _new(directory: Path) -> str:
    name = str(len(list(directory.iterdir())))
    (directory / name).mkdir()
    return name


def test_there_are_thirty_paths_and_six_writings() -> None:
    assert len({*PATHS}) >= 30
    assert len({write(CANARY) for write in WRITINGS.values()}) == 6
