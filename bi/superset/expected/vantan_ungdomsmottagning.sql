select period, stadsdel, medel_dagar, staden_medel_dagar, preliminar
from published.vy_vantetider where vantan_pa = 'Ungdomsmottagning' and staden_medel_dagar is not null
