"""Figures that are measured side by side in one run, so that a noisy machine tells no lies."""
