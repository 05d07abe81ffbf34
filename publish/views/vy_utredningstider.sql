select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.investigations as paborjade_utredningar,
    district.concluded as avslutade_av_dem,
    district.investigation_time_mean_days as medel_dagar,
    city.investigation_time_mean_days as staden_medel_dagar,
    district.investigation_time_median_days as median_dagar,
    city.investigation_time_median_days as staden_median_dagar,
    district.investigation_time_km_median_days as median_med_pagaende_dagar,
    city.investigation_time_km_median_days as staden_median_med_pagaende_dagar,
    (
        district.investigation_time_mean_days is null
        or district.investigation_time_median_days is null
        or district.investigation_time_km_median_days is null
    ) as for_fa,
    district.is_provisional as preliminar
from published.mart_investigation_times as district
left join published.mart_investigation_times as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'total'
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_basis = 'today' and district.cut = 'total' and district.district_code <> whole_code()
