"""A Flowyard component that keeps workflows in memory."""
