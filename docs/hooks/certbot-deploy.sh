#!/bin/sh
# certbot's deploy hook: hand the new certificate to Clever Cloud.
#
# certbot sets RENEWED_LINEAGE to the folder, like /etc/letsencrypt/live/example.org. The key must be
# RSA: certbot certonly --key-type rsa. Run twice for one certificate, it sends once and ends with 0.
set -eu
PATH="$PATH:/usr/local/bin:${HOME:-/root}/.local/bin"

exec certmail send --lineage "$RENEWED_LINEAGE" --yes
