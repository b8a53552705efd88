"""Flowyard workflows on Conductor."""
