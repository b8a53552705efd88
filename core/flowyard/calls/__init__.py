"""The calls of the other building blocks in process, by the names that Dapr's client has."""
