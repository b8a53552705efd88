"""JSON as it is on the wire, for the server and its clients."""
