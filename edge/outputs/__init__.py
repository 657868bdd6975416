"""What the verdicts move outside of this process."""
