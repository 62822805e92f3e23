"""Restricted Boltzmann machine trained with an annealer, logistic regression on its hidden units."""
