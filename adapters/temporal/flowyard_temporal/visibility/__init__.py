"""Lists: Temporal's visibility, which lags a moment behind."""
