"""Notes in memory, as a binding of Flowyard."""
