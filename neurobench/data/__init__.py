"""Data sets: real files that ship with the package, read into seeded splits."""
