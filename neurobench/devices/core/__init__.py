"""Spiking cores: the arithmetic of a chip that runs a trained network."""
