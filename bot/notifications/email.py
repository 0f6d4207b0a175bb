"""E-mail by SMTP."""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime

from bot.notifications.delivery import Message, NotDelivered
from bot.notifications.outgoing import TIMEOUT_SECONDS

# How it says hello: its real name would be looked up, which can take long, and is nobody's business.
_MYSELF = "[127.0.0.1]"


class Email:
    """One e-mail to all addresses. `security`: starttls, tls or none; with none no password is ever sent."""

    name = "email"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        user: str,
        password: str,
        sender: str,
        receivers: Sequence[str],
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._user = user
        self._password = password
        self._sender = sender
        self._receivers = list(receivers)
        self._server: smtplib.SMTP | None = None

    def send(self, message: Message) -> str:
        try:
            with self._open() as server:
                self._server = server
                if self._security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._user and self._security != "none":
                    server.login(self._user, self._password)
                refused = server.send_message(self._written(message), self._sender, self._receivers)
        except smtplib.SMTPRecipientsRefused as error:
            raise NotDelivered(f"{self._host} refused every address") from error
        except smtplib.SMTPResponseException as error:
            # What the server says is not quoted: some repeat what was sent to them.
            raise NotDelivered(f"{self._host} refused it ({error.smtp_code}, {type(error).__name__})") from error
        except smtplib.SMTPNotSupportedError as error:
            raise NotDelivered(f"{self._host} does not offer what smtp_security or smtp_user asks for") from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise NotDelivered(f"{self._host} did not take it: {words}") from error
        finally:
            self._server = None
        return f"{self._host} refused {len(refused)} of {len(self._receivers)} addresses" if refused else ""

    def cut(self) -> None:
        server = self._server
        if server is not None and server.sock is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                server.sock.shutdown(socket.SHUT_RDWR)

    def _open(self) -> smtplib.SMTP:
        if self._security == "tls":
            return smtplib.SMTP_SSL(
                self._host, self._port, _MYSELF, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        return smtplib.SMTP(self._host, self._port, _MYSELF, timeout=TIMEOUT_SECONDS)

    def _written(self, message: Message) -> EmailMessage:
        made = EmailMessage()
        made["Subject"] = " ".join(message.title.split())
        made["From"] = self._sender
        made["To"] = ", ".join(self._receivers)
        made["Date"] = format_datetime(message.at)
        # The same when it is sent again: a mail program shows it once.
        made["Message-ID"] = f"<{message.id}@nija.invalid>"
        made.set_content(message.text)
        return made
