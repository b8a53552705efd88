"""Runs the app's workflows, and those of SDK workers, on Temporal."""
