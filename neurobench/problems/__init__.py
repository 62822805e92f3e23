"""Problems for a device: a Boltzmann machine, a quadratic model, a circuit."""
