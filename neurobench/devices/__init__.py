"""Backends: YAML records of narrow devices, computed here (`sim`) or emulating a chip (`mock`)."""
