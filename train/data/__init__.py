"""Labeled photos: listing, duplicates, splits, masks."""
