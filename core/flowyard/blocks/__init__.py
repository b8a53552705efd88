"""Dapr's other building blocks: state, pub/sub, bindings and secrets."""
