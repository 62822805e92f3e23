"""Compiled layers of current-based leaky integrate-and-fire neurons (CUBA), from lists of spikes."""
