select period, stadsdel, andel_tackat_ja, andel_tackat_ja_lag, andel_tackat_ja_hog, staden_andel_tackat_ja, preliminar
from published.vy_fyra_mal_rullande_ar where staden_andel_tackat_ja is not null
