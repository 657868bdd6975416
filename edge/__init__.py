"""The device: a bundle and a camera over a conveyor belt become sorted items."""

__version__ = "0.1.0"
