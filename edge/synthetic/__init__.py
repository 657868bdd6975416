"""Drawn items, debris, backgrounds and segmentation: shared by all that need pictures."""
