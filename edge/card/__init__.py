"""The card of a board that installs itself at its first boot, without a network."""
