"""Networks of other frameworks, as they exchange them: a NIR graph is run, tested and trained on."""
