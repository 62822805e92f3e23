"""Emulated chips: devices with the faults of the hardware that each model was published on."""
