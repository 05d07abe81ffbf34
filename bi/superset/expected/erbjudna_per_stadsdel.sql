select period, stadsdel, andel_erbjudna, andel_erbjudna_lag, andel_erbjudna_hog, staden_andel_erbjudna, preliminar
from published.vy_arendeflode where staden_andel_erbjudna is not null
