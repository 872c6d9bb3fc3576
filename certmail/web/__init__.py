"""The one way out to the web: an address goes in, bounded bytes or a neutral reason come out.

A tool of the edges that fetch. Knows HTTP, TLS, sockets and what a private network is; nothing of
keys, certificates or error codes: each edge says what a reason means for its user.
"""
