"""SLAYER: a spiking network of current-based neurons on event-camera recordings, in floats and in Loihi's integers."""
