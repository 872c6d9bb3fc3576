"""Whether Let's Encrypt can reach a domain: answers go in, findings and steps come out.

Knows the challenge that the provider answers, how Cloudflare and caches show in headers, and what
the provider's document says to do. Asks nobody itself; the edge ``challenge`` does.
"""
