"""What the answers of a model are decided by, fitted to items whose class is known: pure."""
