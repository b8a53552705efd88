"""What workflow authors write with, and the interpreter that runs it."""
