"""Temporal's own runs, events and failures as Flowyard's."""
