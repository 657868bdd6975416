"""Other sensors beside the belt: what they report, and which item it is of."""
