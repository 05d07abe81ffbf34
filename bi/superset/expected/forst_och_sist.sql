select period, matt, stadsdel, varde, enhet, placering_lag, placering_hog, preliminar
from published.vy_likstallighet_rullande_ar where placering = 1 and placering_lag is not null
