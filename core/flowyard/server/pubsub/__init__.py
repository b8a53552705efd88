"""Pub/sub as callers and the application see it (docs/protocol.md §16)."""
