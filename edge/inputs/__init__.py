"""What the line hears from outside of this process, apart from its camera."""
