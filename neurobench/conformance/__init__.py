"""Whether other frameworks run NIR graphs as NIR's equations say: reference graphs, their exact answers, verdicts."""
