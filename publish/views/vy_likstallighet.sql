-- shares are shown in per cent
with measured as (
    select
        district_code,
        period_kind,
        period,
        measure_family,
        measure,
        measure_form,
        is_high_better,
        funnel_position,
        district_rank,
        district_rank_low,
        district_rank_high,
        is_provisional,
        case measure_form when 'andel' then 100.0 else 1.0 end as factor,
        value as own_value,
        value_low,
        value_high,
        city_value,
        gap,
        funnel_low,
        funnel_high
    from published.mart_equity
    where district_basis = 'today' and district_code <> 'stockholm'
)

select
    district_code as stadsdel,
    period_kind as periodtyp,
    period,
    measure_family as omrade,
    measure as matt,
    case measure_form when 'andel' then 'procent' when 'per_1000' then 'per 1 000' else 'dagar' end as enhet,
    is_high_better as hogt_ar_bra,
    factor * own_value as varde,
    factor * value_low as varde_lag,
    factor * value_high as varde_hog,
    factor * city_value as staden_varde,
    factor * gap as skillnad_mot_staden,
    factor * funnel_low as grans_lag,
    factor * funnel_high as grans_hog,
    funnel_position as lage,
    coalesce(funnel_position in ('under', 'over'), false) as utanfor,
    district_rank as placering,
    district_rank_low as placering_lag,
    district_rank_high as placering_hog,
    own_value is null as for_fa,
    is_provisional as preliminar
from measured
