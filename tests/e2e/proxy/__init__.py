"""Accounts that are removed, and prospects that are forgotten."""
