"""Devices with narrow interfaces, set up by a backend's YAML: in software (`sim`) or emulated chips (`mock`)."""
