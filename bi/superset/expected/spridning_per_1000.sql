select period, matt, min(varde) as lagst, max(varde) as hogst, any_value(staden_varde) as staden,
    list(stadsdel order by varde nulls last, stadsdel)[1] as lagst_ar,
    list(stadsdel order by varde desc nulls last, stadsdel)[1] as hogst_ar,
    string_agg(stadsdel, ', ' order by stadsdel) filter (where utanfor) as utanfor_vilka
from published.vy_likstallighet_rullande_ar where enhet = 'per 1 000' group by all
