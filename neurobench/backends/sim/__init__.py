"""Ideal or software-simulated devices."""
