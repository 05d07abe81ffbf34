"""The drawn country: 290 invented municipalities in 21 invented counties, as an organisation that can be used."""
