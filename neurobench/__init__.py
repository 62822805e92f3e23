"""A declarative experiment runner for classifiers that are computed in unusual ways."""

__version__ = "0.1.0"
