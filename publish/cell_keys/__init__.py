"""Cell keys: which deviation each published count gets, so that the same records always give the same figure."""
