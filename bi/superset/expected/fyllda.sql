select period, stadsdel, insats, andel_fyllda, andel_fyllda_lag, andel_fyllda_hog, staden_andel_fyllda, preliminar
from published.vy_grupper where staden_andel_fyllda is not null and andel_fyllda is not null
