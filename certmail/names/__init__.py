"""The edge to the DNS: which relay a mail domain names, and how mail reaches one.

In: a domain, whom to ask, and for how long. Out: what the records say, and who vouches for them.
Judges nothing: that a record exists does not make a relay or a way to it good.
"""
