select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.wait_kind as vantan_pa,
    district.wait_n as antal,
    district.wait_mean_days as medel_dagar,
    city.wait_mean_days as staden_medel_dagar,
    coalesce(district.wait_median_days, district.wait_grouped_median_days) as median_dagar,
    coalesce(city.wait_median_days, city.wait_grouped_median_days) as staden_median_dagar,
    if(district.wait_kind = 'parenting_programme', null, district.waited_over_90_days) as over_90_dagar,
    district.queue as ko,
    (
        district.wait_mean_days is null
        or (
            district.wait_kind <> 'parenting_programme'
            and coalesce(district.wait_median_days, district.wait_grouped_median_days) is null
        )
    ) as for_fa,
    district.is_provisional as preliminar
from published.mart_waiting_times as district
left join published.mart_waiting_times as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'total'
        and district.wait_kind = city.wait_kind
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_basis = 'today' and district.cut = 'total' and district.district_code <> whole_code()
