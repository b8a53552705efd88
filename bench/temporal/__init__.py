"""The figures of Flowyard on Temporal, beside ordinary code for Temporal and its raw calls."""
