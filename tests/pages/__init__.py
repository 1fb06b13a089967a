"""The operators' console: a world to look at, a browser to look with, its pictures and its times."""
