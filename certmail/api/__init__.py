"""The walk as a library: check, pin, seal, deliver, and an outbox that loses nothing."""
