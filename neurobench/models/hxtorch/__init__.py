"""Perceptron on the analog matrix multiplier of BrainScaleS-2, trained on the host and with the chip in the loop."""
