"""Data of one's own, from files as people have them."""
