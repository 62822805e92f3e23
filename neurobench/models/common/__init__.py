"""Code shared by several models: learning rates, Adam, logistic regression on features, shifted images."""
