"""Message brokers."""
