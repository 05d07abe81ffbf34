select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.measure_family as omrade,
    district.measure as matt,
    case district.measure_form
        when 'andel' then 'procent' when 'per_1000' then 'per 1 000' else 'dagar'
    end as enhet,
    district.is_high_better as hogt_ar_bra,
    scale.factor * district.value as varde,
    scale.factor * district.value_low as varde_lag,
    scale.factor * district.value_high as varde_hog,
    scale.factor * district.city_value as staden_varde,
    scale.factor * district.gap as skillnad_mot_staden,
    scale.factor * district.funnel_low as grans_lag,
    scale.factor * district.funnel_high as grans_hog,
    district.funnel_position as lage,
    coalesce(district.funnel_position in ('under', 'over'), false) as utanfor,
    district.district_rank as placering,
    district.district_rank_low as placering_lag,
    district.district_rank_high as placering_hog,
    district.value is null as for_fa,
    district.is_provisional as preliminar
from published.mart_equity as district
cross join lateral (select case district.measure_form when 'andel' then 100.0 else 1.0 end as factor) as scale
where district.district_basis = 'today' and district.district_code <> 'stockholm'
