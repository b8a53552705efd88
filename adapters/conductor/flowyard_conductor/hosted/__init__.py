"""Hosted instances: the app's workflows, kept and delivered by the server."""
