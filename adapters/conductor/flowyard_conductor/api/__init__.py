"""Conductor's HTTP API: its connection, its tasks, and the names and errors that are ours."""
