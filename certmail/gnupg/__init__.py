"""The edge to GnuPG: the only place that starts ``gpg``."""
