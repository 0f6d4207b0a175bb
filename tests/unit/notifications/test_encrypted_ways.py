"""Encrypted ways against servers with a certificate of a made-up authority, trusted and not."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.notifications.delivery import Message, NotDelivered
from bot.notifications.email import Email
from bot.notifications.outgoing import Outgoing
from bot.notifications.webhook import Webhook
from bot.seams.clock import SystemClock
from tests.listeners import MailServer, WebServer

MESSAGE = Message(id="1", title="title", text="text", severity="info", at=datetime(2026, 1, 31, tzinfo=UTC))


class Authority:
    """A certificate for `localhost` that vouches for itself; `context` is for a server."""

    def __init__(self, directory: Path) -> None:
        self.file, key_file = directory / "certificate.pem", directory / "key.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.file, key_file)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """This process trusts it, as if it were one of the machine's own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


def webhook(host: str, port: int) -> Webhook:
    outgoing = Outgoing(SystemClock(), allow_private=True)
    return Webhook(outgoing, url=f"https://{host}:{port}/hook", secret="words", style="json")


def email(port: int, security: str) -> Email:
    return Email(
        host="localhost",
        port=port,
        security=security,
        user="anna",
        password="word",
        sender="a@example.org",
        receivers=["b@example.org"],
    )


def test_a_webhook_with_a_good_certificate_gets_the_message(trusted: Authority) -> None:
    with WebServer(tls=trusted.context) as server:
        webhook("localhost", server.port).send(MESSAGE)
        assert server.calls[0].said["title"] == "title"
        assert server.calls[0].headers["Host"] == f"localhost:{server.port}"


def test_a_certificate_of_another_name_or_of_nobody_known_gets_nothing(
    trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WebServer(tls=trusted.context) as server:
        with pytest.raises(NotDelivered):
            webhook("127.0.0.1", server.port).send(MESSAGE)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NotDelivered):
            webhook("localhost", server.port).send(MESSAGE)
        assert server.calls == []


@pytest.mark.parametrize(("security", "at_once"), [("starttls", False), ("tls", True)])
def test_a_mail_and_its_password_go_encrypted(trusted: Authority, security: str, at_once: bool) -> None:
    with MailServer(trusted.context, at_once=at_once) as mail:
        email(mail.port, security).send(MESSAGE)
        assert "Subject: title" in mail.mails[0]
        words = [command.partition(" ")[0].upper() for command in mail.commands]
        assert "AUTH" in words
        assert security == "tls" or words.index("STARTTLS") < words.index("AUTH")


@pytest.mark.parametrize(("security", "at_once"), [("starttls", False), ("tls", True)])
def test_a_mail_server_that_nobody_vouches_for_gets_neither_mail_nor_password(
    authority: Authority, security: str, at_once: bool
) -> None:
    with MailServer(authority.context, at_once=at_once) as mail:
        with pytest.raises(NotDelivered, match="localhost"):
            email(mail.port, security).send(MESSAGE)
        assert mail.mails == [] and not any(command.startswith("AUTH") for command in mail.commands)
