"""Custom data, from files as people have them."""
