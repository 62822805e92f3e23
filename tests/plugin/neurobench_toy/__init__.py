"""A model in a separate package: one module, one YAML file, two entry points."""
