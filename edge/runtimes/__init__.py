"""Which installed runtime computes the model of a bundle quickest on this board, and is right."""
