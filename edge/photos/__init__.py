"""Photos: reading one, and datasets of labeled ones."""
