"""Models: one learner each, behind one narrow protocol."""
