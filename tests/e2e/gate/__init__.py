"""Asking before a send: slots, refusals, statements and plans, applications of all kinds."""
