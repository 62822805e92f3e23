"""Recurrent spiking network trained by e-prop: exactly as in NEST, or by faster engines."""
