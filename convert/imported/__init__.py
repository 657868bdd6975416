"""Turn a Keras classifier that was trained elsewhere into a run, which converts like any other."""
