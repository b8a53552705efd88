"""The figures of Flowyard on Conductor, beside native definitions and the raw calls."""
