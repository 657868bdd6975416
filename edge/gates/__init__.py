"""Which gate opens when, and what moves it; every gate fails safe."""
