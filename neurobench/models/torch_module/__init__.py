"""Any torch module, trained by cross-entropy: a baseline beside the models that are computed in unusual ways."""
