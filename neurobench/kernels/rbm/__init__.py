"""Compiled loops of restricted Boltzmann machines: Gibbs steps, contrastive divergence, annealing walks."""
