"""An event camera that looks at MNIST: its parameters, its emulation, and how it was fitted to real recordings."""
