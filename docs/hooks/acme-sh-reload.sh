#!/bin/sh
# acme.sh's reload command: hand the new certificate to Clever Cloud.
#
# acme.sh sets CERT_KEY_PATH and CERT_FULLCHAIN_PATH. The key must be RSA: acme.sh --issue -k 2048.
set -eu
PATH="$PATH:/usr/local/bin:${HOME:-/root}/.local/bin"

exec certmail send --key "$CERT_KEY_PATH" --cert "$CERT_FULLCHAIN_PATH" --yes
