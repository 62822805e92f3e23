"""Whether other frameworks run NIR graphs as NIR's equations say: reference graphs, their exact answers, verdicts."""

FOLDER = ".conformance"  # below the outputs: what was found, a file a framework
