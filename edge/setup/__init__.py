"""Puts the program on a device, and takes it off again. Runs with the standard library alone."""
