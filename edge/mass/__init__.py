"""Kilograms: the mass of items by their class and area, with its error, from weighings of bins."""
