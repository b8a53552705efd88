"""A Flowyard component that keeps state in a folder."""
