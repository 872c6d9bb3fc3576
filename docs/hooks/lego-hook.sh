#!/bin/sh
# lego's hook after a certificate was made or renewed: hand it to Clever Cloud.
#
# lego sets LEGO_CERT_KEY_PATH and LEGO_CERT_PATH, from version 5 on with LEGO_HOOK_ in front. The key
# must be RSA: lego --key-type rsa2048.
set -eu
PATH="$PATH:/usr/local/bin:${HOME:-/root}/.local/bin"
key="${LEGO_HOOK_CERT_KEY_PATH:-${LEGO_CERT_KEY_PATH:-}}"
certificate="${LEGO_HOOK_CERT_PATH:-${LEGO_CERT_PATH:-}}"

exec certmail send --key "$key" --cert "$certificate" --yes
