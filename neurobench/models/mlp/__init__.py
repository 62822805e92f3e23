"""A plain network of two layers: no machine but the host, a measure of what data are worth."""
