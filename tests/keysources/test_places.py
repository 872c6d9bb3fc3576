"""Where copies are looked for, spelled as each protocol spells it."""

from __future__ import annotations

from certmail.keysources.places import Places, wkd_hash
from certmail.recipient import CLEVER_CLOUD

PIN = CLEVER_CLOUD.pin.text


def test_the_places_are_told_in_their_order_over_https():
    urls = [source.url for source in Places().sources(CLEVER_CLOUD)]
    assert urls == [
        "https://www.clever-cloud.com/developers/doc/administrate/ssl/",
        (
            "https://raw.githubusercontent.com/CleverCloud/documentation/HEAD"
            "/content/doc/administrate/ssl.md"
        ),
        f"https://keys.openpgp.org/vks/v1/by-fingerprint/{PIN}",
        (
            "https://openpgpkey.clever-cloud.com/.well-known/openpgpkey/clever-cloud.com/hu/"
            f"{wkd_hash('ssl')}?l=ssl"
        ),
        f"https://clever-cloud.com/.well-known/openpgpkey/hu/{wkd_hash('ssl')}?l=ssl",
        f"https://keybase.io/clevercloud/pgp_keys.asc?fingerprint={PIN.lower()}",
        f"https://keyserver.ubuntu.com/pks/lookup?op=get&options=mr&search=0x{PIN}",
    ]


def test_no_known_place_counts_as_typed():
    assert not any(source.typed for source in Places().sources(CLEVER_CLOUD))


def test_the_directory_hash_is_that_of_the_draft():
    """draft-koch-openpgp-webkey-service, its own example."""
    assert wkd_hash("Joe.Doe") == wkd_hash("joe.doe") == "iy9q119eutrkn8s1mk4r39qejnbu3n5q"
