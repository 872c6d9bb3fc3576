"""Write the bill of materials of the runtime lock: CycloneDX 1.6, JSON.

``python -m release.sbom FOLDER``. What it lists is what ``pip install --require-hashes`` takes:
each release with the SHA-256 of each of its files, who wanted it, and where it is wanted at all.
The same lock gives the same octets: the time is the release's, the serial number comes from the
content. A bill that CycloneDX's own schema does not accept is not written.
"""

from __future__ import annotations

import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from certmail import RELEASED, __version__
from release import lock

_ROOT: Final = Path(__file__).parent.parent
_FILES: Final = "every file of this release; an installation takes one of them"


def bill_of(pins: tuple[lock.Pin, ...]) -> str:
    """Write the pins as JSON, and prove that it is a CycloneDX document.

    Raises:
        ValueError: the document does not follow the schema.
    """
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, repr((__version__, pins))))
    bom.metadata.timestamp = datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)
    product = bom.metadata.component = Component(
        name="certmail",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref=f"pkg:pypi/certmail@{__version__}",
        purl=PackageURL("pypi", None, "certmail", __version__),
        licenses=[DisjunctiveLicense(id="MIT")],
    )
    components = {"certmail": product, **{pin.name: _component(pin) for pin in pins}}
    for component in list(components.values())[1:]:
        bom.components.add(component)
    for name, component in components.items():
        wanted = [components[pin.name] for pin in pins if name in pin.wanted_by]
        bom.register_dependency(component, wanted)
    written = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(written)
    if wrong is not None:
        raise ValueError(f"not CycloneDX 1.6: {wrong!r}")
    return written


def _component(pin: lock.Pin) -> Component:
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(pin.purl),  # what it is, not where from: a mirror serves the same octets
        comment=_FILES,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in pin.hashes],
    )
    where = [Property(name="certmail:marker", value=pin.marker)] if pin.marker else []
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=pin.purl,
        purl=PackageURL("pypi", None, pin.name, pin.version),
        external_references=[files],
        properties=where,
    )


def main(folder: Path) -> None:
    """Write ``certmail.cdx.json`` into the folder, and say where."""
    pins = lock.read((_ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8"))
    written = bill_of(pins)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "certmail.cdx.json"
    path.write_text(written, encoding="utf-8", newline="\n")
    print(f"{path}: {len(pins)} releases, {sum(len(pin.hashes) for pin in pins)} files")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
