"""The breaker's lines, as the daemon prints them."""
