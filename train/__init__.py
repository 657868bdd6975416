"""The workstation's first half: labelled photos become a training run."""
