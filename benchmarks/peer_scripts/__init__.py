"""Scripts that run under the Python of each peer; `playing` is what they share."""
