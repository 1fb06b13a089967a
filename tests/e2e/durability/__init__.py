"""Crashes, kills, full disks, standbys, dumps, and clocks that jump."""
