"""Flowyard workflows on Conductor. Not finished: nothing is registered yet."""
