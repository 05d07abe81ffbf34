select period, stadsdel, andel_utredda, andel_utredda_lag, andel_utredda_hog, staden_andel_utredda, preliminar
from published.vy_arendeflode where staden_andel_utredda is not null
