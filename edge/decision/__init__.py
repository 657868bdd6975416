"""The predictions of one item become a verdict."""
