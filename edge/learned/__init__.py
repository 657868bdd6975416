"""What a device has learned beside its bundle: classes from a few crops, and its site."""
