select distinct period, vantan_pa, staden_medel_dagar from published.vy_vantetider
