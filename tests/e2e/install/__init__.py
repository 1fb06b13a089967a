"""Installation, upgrades, recipes, the systemd unit, and the demo."""
