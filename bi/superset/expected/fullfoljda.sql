select period, stadsdel, andel_fullfoljda, andel_fullfoljda_lag, andel_fullfoljda_hog, staden_andel_fullfoljda, preliminar
from published.vy_fyra_mal_rullande_ar where staden_andel_fullfoljda is not null
