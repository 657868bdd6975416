"""Benchmarks that measure alternatives side by side in one run, so that load affects all alike."""
