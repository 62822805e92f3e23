"""Analog arrays that multiply matrices of small integers."""
