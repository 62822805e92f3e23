"""E-prop: NEST's stream of spikes, minibatches, and the integers of a learning chip."""
