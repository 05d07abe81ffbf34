select period, stadsdel, andel_ater_ett_ar, andel_ater_ett_ar_lag, andel_ater_ett_ar_hog, staden_andel_ater_ett_ar, preliminar
from published.vy_ateraktualisering_ar where barnet_hort = 'Nej' and staden_andel_ater_ett_ar is not null
