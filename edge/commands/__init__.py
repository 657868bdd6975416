"""The commands of ewaste-edge, one file for each group, and the options that they share."""
