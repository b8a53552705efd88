"""Connections to Redis, for all blocks that have a component there."""
