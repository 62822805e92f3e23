"""Sweeps: many runs, planned first, distributed over processes or a cluster, and none computed twice."""
