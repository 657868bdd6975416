"""Setting the belt up: a marker sheet, what the camera makes of it, and the configuration."""
