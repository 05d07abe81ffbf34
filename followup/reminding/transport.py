"""One mail by SMTP, step by step, so that it is known whether the server took it.

The server takes a mail when it answers the end of its text. Before that nothing was taken, and it may be tried again.
When the connection ends between that end and the answer, nobody knows.
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from followup.reminding.settings import MailSettings, Tls
from ingest.organisation import own_words
from ingest.settings import SettingsError


class NotTaken(Exception):
    """The server certainly did not take the mail, and may later. The message names no address."""


class Refused(Exception):
    """The server refuses the mail for good."""


class Unsure(Exception):
    """The connection ended while the server had the whole text: it may have taken the mail."""


def message_of(
    settings: MailSettings, key: str, recipients: tuple[str, ...], subject: str, body: str, at: datetime
) -> EmailMessage:
    """A mail of plain text, marked as sent by a program.

    Args:
        settings: who sends it.
        key: of the outbox; the mail's id follows from it.
        recipients: addresses that have been checked.
        subject, body: words of ours; a line break in the subject raises ValueError.
        at: when it is sent.
    """
    assert settings.sender is not None
    sender = Address(own_words(settings.sender_name), addr_spec=settings.sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = tuple(Address(addr_spec=one) for one in recipients)
    message["Subject"] = subject
    message["Date"] = at
    message["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(body, charset="utf-8", cte="quoted-printable")
    return message


def deliver(settings: MailSettings, message: EmailMessage, recipients: tuple[str, ...]) -> int:
    """Hand a mail to the server.

    Returns:
        For how many recipients the server did not take it; for one at least it did.

    Raises:
        NotTaken, Refused, Unsure: it was not taken, or nobody knows.
        SettingsError: the password or the certificates can't be read.
    """
    assert settings.sender is not None
    with _connected(settings) as server:
        try:
            _require(*server.mail(settings.sender), "the sender")
            codes = [server.rcpt(one)[0] for one in recipients]
        except (smtplib.SMTPException, OSError) as error:
            raise NotTaken(f"the mail server ended the connection ({type(error).__name__})") from None
        if not any(200 <= code < 300 for code in codes):
            said = (
                f"the mail server takes none of the {len(codes)} recipients ({', '.join(map(str, sorted(set(codes))))})"
            )
            raise (Refused if all(code >= 500 for code in codes) else NotTaken)(said)
        try:
            code, _ = server.data(message.as_bytes())
        except smtplib.SMTPDataError as error:  # it does not want the text at all
            raise NotTaken(f"the mail server takes no mail now ({error.smtp_code})") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Unsure(f"the connection ended before the mail server answered ({type(error).__name__})") from None
        if code >= 500:
            raise Refused(f"the mail server refuses the mail ({code})")
        if code >= 300:
            raise NotTaken(f"the mail server does not take the mail now ({code})")
        return sum(not 200 <= one < 300 for one in codes)


def _require(code: int, _: bytes, what: str) -> None:
    if not 200 <= code < 300:
        raise NotTaken(f"the mail server does not accept {what} ({code}): check FOLLOWUP_MAIL_SENDER and _USER")


@contextmanager
def _connected(settings: MailSettings) -> Iterator[smtplib.SMTP]:
    """A connection that is protected and logged in as the settings say."""
    assert settings.host is not None
    secret, trust = settings.secret(), _trust(settings)
    try:
        if settings.tls is Tls.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_seconds, context=trust
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
    except (smtplib.SMTPException, OSError) as error:
        said = "its certificate is not believed" if isinstance(error, ssl.SSLError) else type(error).__name__
        raise NotTaken(f"the mail server {settings.host}:{settings.port} can't be reached ({said})") from None
    try:
        try:
            server.ehlo()
            if settings.tls is Tls.STARTTLS:
                server.starttls(context=trust)
                server.ehlo()
            if settings.user is not None and secret is not None:
                server.login(settings.user, secret)
        except ssl.SSLError:
            raise NotTaken("the mail server's certificate is not believed: check FOLLOWUP_MAIL_CA_FILE") from None
        except smtplib.SMTPNotSupportedError:
            raise NotTaken("the mail server has no TLS or no login: check FOLLOWUP_MAIL_TLS and _USER") from None
        except smtplib.SMTPAuthenticationError as error:
            raise NotTaken(f"the mail server refuses the login ({error.smtp_code}): check FOLLOWUP_MAIL_USER") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotTaken(f"the mail server ended the connection ({type(error).__name__})") from None
        yield server
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _trust(settings: MailSettings) -> ssl.SSLContext | None:
    if settings.tls is Tls.NONE:
        return None
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"FOLLOWUP_MAIL_CA_FILE can't be read ({type(error).__name__})") from None
