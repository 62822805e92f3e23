"""Any torch module, trained by cross-entropy: a baseline for the models that are computed in unusual ways."""
