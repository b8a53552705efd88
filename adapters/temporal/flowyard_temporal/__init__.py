"""Flowyard workflows on Temporal. Not finished: nothing is registered yet."""
