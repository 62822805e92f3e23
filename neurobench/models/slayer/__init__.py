"""SLAYER: a spiking network of current-based neurons for event-camera recordings, in floats or in Loihi's integers."""
