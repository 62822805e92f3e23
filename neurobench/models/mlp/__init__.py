"""A plain network of two layers, without any device but the host: a measure of the quality of data."""
