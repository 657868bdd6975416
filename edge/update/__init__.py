"""Bundles and programs that a board pulls from a TUF repository (The Update Framework)."""
