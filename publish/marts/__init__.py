"""What a release publishes of each mart: every column has a type, every count a measure."""
