"""The command `flowyard`."""
