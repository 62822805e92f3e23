"""Convolutional network whose last layer is a quantum circuit."""
