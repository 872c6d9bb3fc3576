"""Ask others what they think of the same files, and compare; writes docs/check-agreement.md.

    python -m tests.bundle.agreement [PKITS-FOLDER] [--write]

Three judges: the loader of OpenSSL behind Python's ``ssl`` for the text of a bundle, ``openssl
verify`` for its chain, and NIST's PKITS, whose verdicts stand in the names of its files. PKITS is
not kept here; it is the folder ``x509/PKITS_data/certs`` of the package ``cryptography_vectors``.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certmail.bundle import parts, pem
from certmail.bundle.check import check
from certmail.bundle.findings import Severity
from tests.bundle import make, vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "check-agreement.md"
PKITS_AT = datetime(2020, 1, 1, tzinfo=UTC)

BOTH_ACCEPT, BOTH_REFUSE = "both accept", "both refuse"
STRICTER, LAXER = "certmail alone refuses", "certmail alone accepts"
KINDS = (BOTH_ACCEPT, BOTH_REFUSE, STRICTER, LAXER)

# What PKITS asks and certmail does not claim: policies, its own CRLs, names no server has.
BEYOND = re.compile(
    r"[Pp]olic|[Mm]apping|CRL|[Cc]rl|cRL|Revoked|Invalid(?:BasicSelfIssued|LongSerial|NegativeSerial)"
    r"|distributionPoint|only(?:Some|Contains)|IDP|URI|RFC822"
    r"|SeparateCertificate|DSA"
)
# Findings about the profile of a web server; PKITS's subjects are people.
PROFILE = re.compile(r"KEY-|LEAF-(?!EXPIRED|NOT-YET|CA$|SELF)|FILE-|BLOCK-")


@dataclass(frozen=True, slots=True)
class Opinion:
    """One file, and what both think of it."""

    name: str
    ours: bool
    theirs: bool
    codes: tuple[str, ...]

    @property
    def kind(self) -> str:
        """How the two agree."""
        if self.ours == self.theirs:
            return BOTH_ACCEPT if self.ours else BOTH_REFUSE
        return LAXER if self.ours else STRICTER


def loader() -> Iterator[Opinion]:
    """Compare the whole verdict with what ``ssl.SSLContext.load_cert_chain`` takes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.pem"
        for vector in vectors.ALL:
            path.write_bytes(vector.data)
            ours = vector.verdict.checked is not None
            yield Opinion(vector.name, ours, _loads(path), _codes(vector.verdict))


def _loads(path: Path) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError):
        return False
    return True


def verifier() -> Iterator[Opinion]:
    """Compare with ``openssl verify`` for every sound text; what is asked further is left out."""
    for vector in vectors.ALL:
        scan = pem.scan(vector.data)
        blocks = parts.certificates(scan.blocks)
        if not scan.legible or not blocks or vector.name in _NOT_ABOUT_THE_CHAIN:
            continue
        ours = vector.verdict.checked is not None
        theirs = openssl(
            [block.der for block in blocks],
            roots=[make.der_of(make.root().certificate)],
            at=vector.at,
            flags=("-purpose", "sslserver", "-verify_hostname", _host(vector)),
        )
        yield Opinion(vector.name, ours, theirs, _codes(vector.verdict))


_NOT_ABOUT_THE_CHAIN = frozenset(
    {vector.name for vector in (*vectors.ASKED, *vectors.PARTS, *vectors.FORM)}
)


def _host(vector) -> str:
    return next((d for d in vector.domains if d.isascii() and " " not in d), make.HOST)


def openssl(
    chain: list[bytes], *, roots: list[bytes], at: datetime, flags: tuple[str, ...] = ()
) -> bool:
    """Ask ``openssl verify`` about the first certificate, with the others to help."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, content in (("leaf", chain[:1]), ("others", chain[1:]), ("roots", roots)):
            files[name] = Path(folder) / name
            files[name].write_bytes(b"".join(map(_pem, content)))
        others = ("-untrusted", str(files["others"])) if chain[1:] else ()
        ended = subprocess.run(
            ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", str(files["roots"]),
             *others, "-attime", str(int(at.timestamp())), *flags, str(files["leaf"])],
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        return ended.returncode == 0


def pkits(folder: Path) -> Iterator[tuple[Opinion, bool]]:
    """Judge PKITS's paths; the second value is what ``openssl verify`` says of the same."""
    read = (_certificate(p.read_bytes()) for p in sorted(folder.glob("*.crt")))
    known = [certificate for certificate in read if certificate is not None]
    root = next(c for c in known if "Trust Anchor" in c.subject.rfc4514_string())
    for path in sorted(folder.glob("*EE.crt")):
        if not path.name.startswith(("Valid", "Invalid")) or BEYOND.search(path.name):
            continue
        leaf = _certificate(path.read_bytes())
        if leaf is None:
            chain = [path.read_bytes(), root.public_bytes(Encoding.DER)]
        else:
            chain = [c.public_bytes(Encoding.DER) for c in _climb(leaf, known, root)]
        verdict = check(b"".join(map(_pem, chain)), at=PKITS_AT)
        codes = tuple(
            finding.code
            for finding in verdict.findings
            if finding.severity is Severity.ERROR and not PROFILE.match(finding.code)
        )
        theirs = openssl(chain[:-1] or chain, roots=[root.public_bytes(Encoding.DER)], at=PKITS_AT)
        expected = path.name.startswith("Valid")
        yield Opinion(path.stem, not codes, expected, codes), theirs


def _certificate(octets: bytes) -> x509.Certificate | None:
    """Decode a certificate; the library does not take every one of PKITS's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(octets)
            certificate.subject, certificate.issuer  # noqa: B018 - decoded when asked for
    except ValueError:
        return None
    return certificate


def _climb(
    leaf: x509.Certificate, known: list[x509.Certificate], root: x509.Certificate
) -> list[x509.Certificate]:
    """Find the path PKITS means: proved issuers where there are any, else by name."""
    path = [leaf]
    while path[-1] != root and len(path) < 10:
        named = [c for c in known if c.subject == path[-1].issuer and c not in path]
        proved = [c for c in named if _issued(path[-1], c)]
        if not named:
            break
        path.append((proved or named)[0])
    return path if path[-1] == root else [*path, root]


def _issued(below: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - any doubt is a no here
        return False
    return True


def _pem(octets: bytes) -> bytes:
    return make.armor("CERTIFICATE", octets)


def _codes(verdict) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.code for finding in verdict.findings))


def counted(opinions: list[Opinion]) -> Counter[str]:
    """Count how often each kind of agreement occurs."""
    return Counter(opinion.kind for opinion in opinions)


def table(opinions: list[Opinion], *, detail: tuple[str, ...]) -> str:
    """Write the counts, and the names where the two disagree in a way worth reading."""
    counts = counted(opinions)
    lines = ["| verdicts | files |", "| --- | ---: |"]
    lines += [f"| {kind} | {counts[kind]} |" for kind in KINDS]
    for kind in detail:
        found = [opinion for opinion in opinions if opinion.kind == kind]
        if found:
            lines += ["", f"{kind[0].upper()}{kind[1:]}:", ""]
            lines += [
                f"- `{one.name}`" + (f" ({', '.join(one.codes)})" if one.codes else "")
                for one in found
            ]
    return "\n".join(lines)


def page(folder: Path | None) -> str:
    """Write the whole page."""
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True)
    text = [
        "# How certmail's verdict compares with others'",
        "",
        "Written by `python -m tests.bundle.agreement`; the tests hold its first two tables.",
        f"Judges: {version.stdout.split('(')[0].strip()}, Python's own `ssl`, NIST PKITS.",
        "",
        "## The text of a bundle: OpenSSL's loader",
        "",
        (
            "Every vector of the tests, each with one defect. The loader reads text and key and"
            " looks at nothing else, so certmail is meant to refuse more, and never less."
        ),
        "",
        table(list(loader()), detail=(LAXER,)),
        "",
        "## The chain: openssl verify",
        "",
        (
            "With the true root, the host name and the purpose of a TLS server. certmail judges the"
            " file as it stands (key, order, leftovers, the provider's rules), `verify` looks for"
            " any way up. What certmail alone accepts, it warns of."
        ),
        "",
        table(list(verifier()), detail=(LAXER,)),
        "",
    ]
    if folder is not None:
        both = list(pkits(folder))
        opinions = [opinion for opinion, _ in both]
        agree = sum(opinion.theirs == openssl_says for opinion, openssl_says in both)
        text += [
            "## Paths: NIST PKITS",
            "",
            (
                "The verdict stands in the name of the file. Left out is what certmail does not"
                " claim: certificate policies, what depends on PKITS's own CRLs, DSA, and"
                " constraints on names that no server has. `openssl verify` agrees with PKITS in"
                f" {agree} of these {len(both)} paths. certmail compares names octet by octet, as"
                " browsers do, and refuses a CA as a server's certificate."
            ),
            "",
            table(opinions, detail=(LAXER, STRICTER)),
            "",
        ]
    return "\n".join(text)


def main(arguments: list[str]) -> None:
    """Print the page, or write it."""
    folders = [Path(argument) for argument in arguments if not argument.startswith("--")]
    text = page(folders[0] if folders else None)
    if "--write" in arguments:
        PAGE.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
