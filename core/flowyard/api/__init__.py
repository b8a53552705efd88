"""The faces of a server: HTTP and gRPC. They translate, and have no logic of their own."""
