"""Conformance of other frameworks to NIR's equations: reference graphs, their exact answers, verdicts."""

FOLDER = ".conformance"  # folder of the results below the outputs, one file per framework
