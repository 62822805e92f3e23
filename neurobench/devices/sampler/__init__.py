"""Annealers and Gibbs samplers: draw states of a restricted Boltzmann machine, or of any binary quadratic model."""
