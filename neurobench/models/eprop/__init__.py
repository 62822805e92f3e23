"""Recurrent spiking network that learns by e-prop: as NEST does it, and by faster engines."""
