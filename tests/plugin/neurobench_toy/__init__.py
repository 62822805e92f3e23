"""A model in a package of its own: one module, one YAML file, two entry points."""
