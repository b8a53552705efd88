"""The names that reach a server or a file, gathered from the code that writes and reads them."""
