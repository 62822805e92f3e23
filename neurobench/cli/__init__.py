"""The command line: verbs."""
