"""Composing a configuration and checking it before anything is computed."""
