select period, stadsdel, insats, lediga_platser, preliminar from published.vy_grupper where lediga_platser > 0
