"""Custom data, from files in common formats."""
