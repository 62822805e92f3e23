"""Quantum processors: run batches of bound circuits."""
