"""A broker of Flowyard that keeps messages in a folder."""
