"""An event camera that looks at MNIST: its parameters, its emulation, and its fit to real recordings."""
