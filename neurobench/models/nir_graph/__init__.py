"""Networks exchanged with other frameworks: a NIR graph is run, tested and trained further."""
