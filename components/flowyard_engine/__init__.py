"""The built-in durable engine: workflows on a SQLite file, in the program's own process."""
