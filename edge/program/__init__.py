"""The program of a board, pulled from the repository of its ring, tried, and gone back from."""
