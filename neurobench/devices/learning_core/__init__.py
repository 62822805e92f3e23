"""Spiking cores that learn on the chip."""
