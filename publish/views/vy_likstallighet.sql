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
        funnel_high,
        outer_funnel_low,
        outer_funnel_high
    from published.mart_equity
    where district_basis = 'today' and district_code <> whole_code()
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
    factor * funnel_low as inre_grans_lag,
    factor * funnel_high as inre_grans_hog,
    factor * outer_funnel_low as yttre_grans_lag,
    factor * outer_funnel_high as yttre_grans_hog,
    case
        when own_value < outer_funnel_low then 'Under de yttre gränserna'
        when own_value > outer_funnel_high then 'Över de yttre gränserna'
        when own_value < funnel_low then 'Under de inre men inom de yttre gränserna'
        when own_value > funnel_high then 'Över de inre men inom de yttre gränserna'
        when funnel_low is not null and own_value is not null then 'Inom de inre gränserna'
    end as lage,
    coalesce(own_value < outer_funnel_low or own_value > outer_funnel_high, false) as utanfor,
    coalesce(funnel_position in ('under', 'over'), false) as saker_skillnad,
    district_rank as placering,
    district_rank_low as placering_lag,
    district_rank_high as placering_hog,
    own_value is null as for_fa,
    is_provisional as preliminar
from measured
