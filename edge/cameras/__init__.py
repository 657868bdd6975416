"""Sources of frames, one file per kind, all with the same three methods."""
