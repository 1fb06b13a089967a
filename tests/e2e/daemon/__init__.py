"""The daemon: jobs, commands, pages, TLS, memory, midnight."""
