select period, stadsdel, andel_ater, andel_ater_lag, andel_ater_hog, staden_andel_ater, preliminar
from published.vy_fyra_mal_rullande_ar where staden_andel_ater is not null
