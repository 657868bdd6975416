"""What many boards report of themselves at one broker, and what a person makes of it."""
