select period, stadsdel, medel_dagar, staden_medel_dagar, preliminar
from published.vy_vantetider where vantan_pa = 'Biståndsbedömd öppenvård' and staden_medel_dagar is not null
