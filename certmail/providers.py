"""What mail providers want of a client that submits: host, port, TLS, login. Data, no look-up.

Comes in: a mail domain. Goes out: a `Provider`, which somebody still has to confirm: through whose
servers a domain's mail goes cannot be told from its name, but for the few that providers own. Where
a fact is not certain the field is empty. As of November 2026.

None has an entry without TLS. Knows neither settings nor secrets nor the network.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from certmail.frozen import frozen
from certmail.submission import Mode


class Wanted(Enum):
    """What a provider takes as proof of who logs in."""

    PASSWORD = "the mailbox's password"  # noqa: S105 - words for people
    SHOWN = "the password that Bridge shows"
    APP_PASSWORD = "an app password, made for certmail alone"  # noqa: S105
    TOKEN = "an OAuth2 token"  # noqa: S105
    NOTHING = "no login at all"


class Authority(Enum):
    """Who has signed the certificate that the server shows."""

    PUBLIC = "public"
    OWN = "own"


@frozen(kw_only=True)
class Provider:
    """One provider's submission server.

    ``name`` is the word for ``--provider``. ``host`` is None where only the user knows it.
    ``wanted`` lists what is taken, the best first. ``user`` says in words what the login is.
    ``get`` tells where the secret is made. ``notes`` are sentences, the most needed first.
    ``domains`` are mail domains that are the provider's own.
    """

    name: str
    title: str
    host: str | None
    port: int
    mode: Mode
    wanted: tuple[Wanted, ...]
    user: str = "your full address"
    get: str = ""
    notes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    authority: Authority = Authority.PUBLIC

    @property
    def takes(self) -> str:
        """Say in words what is wanted."""
        return ", or ".join(wanted.value for wanted in self.wanted)


PROVIDERS: Final = (
    Provider(
        name="gmail",
        title="Gmail and Google Workspace",
        host="smtp.gmail.com",
        port=465,
        mode=Mode.IMPLICIT,
        wanted=(Wanted.APP_PASSWORD, Wanted.TOKEN),
        get="https://myaccount.google.com/apppasswords",
        notes=(
            "Your account's own password has not been taken since 2025.",
            "App passwords need 2-Step Verification; some Workspaces forbid them.",
        ),
        domains=("gmail.com", "googlemail.com"),
    ),
    Provider(
        name="microsoft365",
        title="Microsoft 365 (work or school)",
        host="smtp.office365.com",
        port=587,
        mode=Mode.STARTTLS,
        wanted=(Wanted.TOKEN, Wanted.PASSWORD),
        notes=(
            (
                "Passwords are being switched off: from the end of 2026 they are off unless an"
                " administrator allows them, and new organisations have none."
            ),
            (
                "SMTP AUTH must be allowed for the mailbox. In the admin centre: Active users, the"
                " user, Mail, Manage email apps, Authenticated SMTP."
            ),
        ),
        domains=("onmicrosoft.com",),
    ),
    Provider(
        name="outlook",
        title="Outlook.com, Hotmail, Live",
        host="smtp-mail.outlook.com",
        port=587,
        mode=Mode.STARTTLS,
        wanted=(Wanted.TOKEN,),
        notes=("Neither the password nor app passwords are taken any more.",),
        domains=("outlook.com", "hotmail.com", "live.com", "msn.com"),
    ),
    Provider(
        name="fastmail",
        title="Fastmail",
        host="smtp.fastmail.com",
        port=465,
        mode=Mode.IMPLICIT,
        wanted=(Wanted.APP_PASSWORD,),
        user="the address you log in to Fastmail with, not an alias",
        get="Fastmail: Settings, Privacy & Security, app passwords (with access to SMTP)",
        domains=("fastmail.com", "fastmail.fm"),
    ),
    Provider(
        name="ovh",
        title="OVH (MX Plan)",
        host="ssl0.ovh.net",
        port=465,
        mode=Mode.IMPLICIT,
        wanted=(Wanted.PASSWORD,),
        notes=(
            "The certificate is for ssl0.ovh.net; other names of the server are refused.",
            'Email Pro and Exchange have hosts of their own: choose "another" and give yours.',
        ),
    ),
    Provider(
        name="infomaniak",
        title="Infomaniak",
        host="mail.infomaniak.com",
        port=465,
        mode=Mode.IMPLICIT,
        wanted=(Wanted.PASSWORD,),
        notes=("It is the password of the mail address, not of your Infomaniak account.",),
        domains=("ik.me",),
    ),
    Provider(
        name="gandi",
        title="Gandi",
        host="mail.gandi.net",
        port=465,
        mode=Mode.IMPLICIT,
        wanted=(Wanted.PASSWORD,),
        notes=("It is the password of the mailbox, not of your Gandi account.",),
    ),
    Provider(
        name="proton-bridge",
        title="Proton Mail, by Proton Mail Bridge",
        host="127.0.0.1",
        port=1025,
        mode=Mode.STARTTLS,
        wanted=(Wanted.SHOWN,),
        user="the user name that Bridge shows",
        get="Bridge: the account's mailbox details. It is not your Proton password",
        notes=(
            "Bridge must run on this machine. Compare host and port with what it shows.",
            (
                "Its certificate is its own. In Bridge: Settings, Advanced settings, Export TLS"
                " certificates; then give cert.pem here. It must name the host above."
            ),
        ),
        domains=("proton.me", "protonmail.com", "pm.me"),
        authority=Authority.OWN,
    ),
    Provider(
        name="postfix",
        title="A Postfix of your own, on this machine",
        host=None,
        port=587,
        mode=Mode.STARTTLS,
        wanted=(Wanted.NOTHING, Wanted.PASSWORD),
        user="what your Postfix asks for; empty for no login",
        notes=(
            "Give the name that stands in its certificate, also on loopback.",
            "Where no public authority has signed it, give the CA's file too.",
        ),
        authority=Authority.OWN,
    ),
)
"""In the order in which they are shown."""

OTHER: Final = "other"
"""The word for a relay that is none of these."""


def named(name: str) -> Provider | None:
    """Give the provider of that name."""
    return next((provider for provider in PROVIDERS if provider.name == name), None)


def of_domain(domain: str) -> Provider | None:
    """Give the provider that owns the mail domain, or a domain above it."""
    folded = domain.lower().removesuffix(".")
    return next(
        (
            provider
            for provider in PROVIDERS
            if any(folded == own or folded.endswith("." + own) for own in provider.domains)
        ),
        None,
    )


def of_relay(host: str, port: int) -> Provider | None:
    """Give the provider whose relay this is; on loopback the port alone tells one from another."""
    return next(
        (
            provider
            for provider in PROVIDERS
            if provider.host == host
            and (provider.authority is Authority.PUBLIC or provider.port == port)
        ),
        None,
    )
