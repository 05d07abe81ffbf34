"""The API, /api/v1: what a unit does in the portal, for its own programs. Bearer tokens only; errors are problem+json.

`gate` stands before all: it looks at the token before a body is read.
"""
