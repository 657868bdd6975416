"""Augmented views of a photo, backgrounds, and corruptions."""
