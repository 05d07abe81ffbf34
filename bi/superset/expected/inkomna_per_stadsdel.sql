select period, stadsdel, inkomna_arenden, preliminar from published.vy_arendeflode
