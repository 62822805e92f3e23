"""Runs and their epoch loop."""
