"""The version of this distribution, in a module of its own: rooms that name it import nothing above them."""

__version__ = "0.1.0"
