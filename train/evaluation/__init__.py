"""How right a model is, and when to believe it."""
