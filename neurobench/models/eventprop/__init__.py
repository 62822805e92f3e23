"""A spiking network that learns by the exact gradient of its spike times."""
