"""Item records and crops that survive a power cut; review and export."""
