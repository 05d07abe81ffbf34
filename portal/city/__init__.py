"""The city's pages, `/staden/…`: who has submitted, what the city decides, builds and releases, the audit log."""
