"""Campaign work that is handed out by the page: fair, once, and bounded."""
