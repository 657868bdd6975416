"""Whether a board is fit to run the line: one small check after the other, each with its remedy."""
