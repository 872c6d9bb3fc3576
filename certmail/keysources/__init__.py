"""The edge to wherever copies of the key may lie: addresses go in, bytes or reasons come out.

A source is a carrier and nothing more. What its bytes are worth is decided by the key's own
signatures, in another room.
"""
