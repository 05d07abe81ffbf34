select period, stadsdel, ko, preliminar from published.vy_vantetider where vantan_pa = 'Serviceinsats'
