"""A declarative experiment runner for classifiers that are computed in unusual ways."""

from neurobench.version import __version__ as __version__
