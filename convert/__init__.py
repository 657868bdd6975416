"""Conversion of a training run to a bundle whose parity with the float model is proved."""
