"""Commands by who uses them; each module has a `register(app)` that adds its own to the command line."""
