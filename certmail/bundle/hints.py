"""Commands and acts that several findings advise, each in one place.

Comes in: nothing. Goes out: text for ``next``. ``bundle.pem`` stands for the user's file; what
would write a private key begins with a umask, so that nobody else can read it.
"""

from __future__ import annotations

from typing import Final

REISSUE_RSA: Final = (
    "re-issue with an RSA key: certbot --key-type rsa --rsa-key-size 2048,"
    " acme.sh --keylength 2048, lego --key-type rsa2048"
)
"""The clients' own switches; certbot makes ECDSA keys by default since version 2."""

REISSUE: Final = "make a new key and have the certificate issued again for it"

RENEW: Final = "renew the certificate, like certbot renew, and take the new files"

COPY_AGAIN: Final = "copy the block again from where it was issued"

DECRYPT: Final = "umask 077 && openssl pkey -in encrypted.pem -out key.pem"

TO_PKCS8: Final = "umask 077 && openssl pkcs8 -topk8 -nocrypt -in key.pem -out fixed.pem"
