"""A belt that exists only in memory: drawn items, the moving scene, the score of the gates."""
