select period, insats, any_value(stadsdelar_som_erbjuder) as stadsdelar_som_erbjuder,
    any_value(stadsdelar_med_uppgift) as stadsdelar_med_uppgift,
    string_agg(stadsdel, ', ' order by stadsdel) filter (where erbjuds) as erbjuds_av
from published.vy_utbud group by all
