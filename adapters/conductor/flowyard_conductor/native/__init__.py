"""Native workflows: definitions that know nothing of Flowyard, run by workers of their own."""
