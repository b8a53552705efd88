"""The figures: each a small program, measured in rounds beside what it is compared with."""
