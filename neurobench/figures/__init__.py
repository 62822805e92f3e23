"""Style and rendering of all figures."""
