"""What callers ask of instances: starts, pauses, terminations and purges."""
