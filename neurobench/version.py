"""Version of this distribution, in a separate module so that subpackages that use it import nothing above them."""

__version__ = "0.1.0"
