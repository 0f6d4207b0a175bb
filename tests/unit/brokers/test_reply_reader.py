"""One HTTP answer is read the same however it is cut into pieces, and one whose end is in doubt is none."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.brokers.http_session import MAX_BODY_BYTES, HttpReply
from bot.brokers.reply_reader import MAX_HEAD_BYTES, BadReply, ReplyReader

BODY = b'{"ordId": "1", "sCode": "0"}'
BY_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\nX: y\r\n\r\n" + BODY
BY_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1c;a=b\r\n" + BODY + b"\r\n0\r\nTrailer: x\r\n\r\n"
AFTER_A_WORD = b"HTTP/1.1 100 Continue\r\n\r\n" + BY_LENGTH
EMPTY_CHUNKS = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
ANSWERS = {
    BY_LENGTH: HttpReply(200, BODY),
    BY_CHUNKS: HttpReply(200, BODY),
    AFTER_A_WORD: HttpReply(200, BODY),
    EMPTY_CHUNKS: HttpReply(429, b"", 7.0),
    NOTHING: HttpReply(204, b""),
}


def _read(pieces: list[bytes]) -> tuple[ReplyReader, HttpReply | None]:
    reader, reply = ReplyReader(), None
    for piece in pieces:
        assert reply is None, "it was complete before its last byte"
        reply = reader.feed(piece)
    return reader, reply


@given(answer=st.sampled_from(sorted(ANSWERS)), cuts=st.sets(st.integers(1, 200), max_size=12))
def test_an_answer_is_the_same_however_it_is_cut(answer: bytes, cuts: set[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]
    reader, reply = _read([answer[first:last] for first, last in itertools.pairwise(places)])
    assert reply == ANSWERS[answer]
    assert reader.keeps_connection


@pytest.mark.parametrize("answer", [BY_LENGTH, BY_CHUNKS])
def test_an_answer_that_breaks_off_is_none(answer: bytes) -> None:
    for length in range(len(answer)):
        reader = ReplyReader()
        assert reader.feed(answer[:length]) is None
        assert reader.end() is None


def test_where_nothing_else_is_said_the_answer_ends_with_the_connection() -> None:
    reader = ReplyReader()
    assert reader.feed(b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>") is None
    assert reader.feed(b"</html>") is None
    assert reader.end() == HttpReply(502, b"<html></html>")
    assert not reader.keeps_connection


@pytest.mark.parametrize(
    "more", [b"Connection: close\r\n", b"connection: Close, TE\r\n"], ids=["close", "close among others"]
)
def test_a_connection_that_the_venue_ends_is_not_kept(more: bytes) -> None:
    reader, reply = _read([BY_LENGTH.replace(b"X: y\r\n", more)])
    assert reply is not None and not reader.keeps_connection


def test_a_connection_on_which_more_came_than_was_asked_for_is_not_kept() -> None:
    reader, reply = _read([BY_LENGTH + b"HTTP/1.1 200 OK\r\n"])
    assert reply == HttpReply(200, BODY) and not reader.keeps_connection


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01 nothing like HTTP\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1),
    ],
    ids=lambda answer: answer[:60].decode("latin-1"),
)
def test_what_is_no_answer_or_has_no_certain_end_is_refused(answer: bytes) -> None:
    with pytest.raises(BadReply):
        ReplyReader().feed(answer)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_else_than_be_an_answer_be_none_or_be_refused(data: bytes) -> None:
    reader = ReplyReader()
    try:
        reply = reader.feed(b"HTTP/1.1 200 OK\r\n" + data)
    except BadReply:
        return
    assert reply is None or reply.status == 200
