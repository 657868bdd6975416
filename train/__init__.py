"""The workstation's first half: labeled photos become a training run."""
