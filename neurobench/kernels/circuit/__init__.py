"""Compiled simulation of quantum circuits."""
