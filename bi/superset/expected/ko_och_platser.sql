select period, stadsdel, ko, insats, kan_fa_plats, var_platserna_finns, preliminar from published.vy_lediga_platser
