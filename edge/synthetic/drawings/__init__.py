"""One drawing per class of electronic waste: a seeded generator in, a picture of the item out."""
