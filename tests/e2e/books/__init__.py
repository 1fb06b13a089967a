"""Sweeps and the quarantine after a restore."""
