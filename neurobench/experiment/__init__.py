"""The one loop over epochs."""
