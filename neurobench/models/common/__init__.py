"""What several models share: learning rates, Adam, logistic regression on features, moved images."""
