"""Models, each with a learner that implements one narrow protocol."""
