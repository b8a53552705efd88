"""Temporal as a workflow component of Flowyard."""
