"""What is handed to a device: a machine, a quadratic model, a circuit."""
