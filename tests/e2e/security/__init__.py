"""Who may do what, and what hostile text, roles and objects achieve: nothing."""
