"""The workstation's second half: a training run becomes a proved bundle."""
