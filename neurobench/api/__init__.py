"""The functions of `import neurobench`: runs, sweeps, tables, data and estimators for Python."""
