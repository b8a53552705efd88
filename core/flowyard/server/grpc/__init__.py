"""The gRPC API: Dapr's management methods and the task hub of its workflow SDKs."""
