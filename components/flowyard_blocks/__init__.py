"""The components of the other building blocks that are built in."""
