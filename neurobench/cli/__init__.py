"""Commands (verbs) of the CLI."""
