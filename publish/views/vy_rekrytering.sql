select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.intervention_category as insatskategori,
    district.intervention_code as insats,
    district.cohort_groups as planerade_grupper,
    district.groups_started as startade_grupper,
    district.groups_cancelled as installda_grupper,
    district.groups_cancelled_for_too_few as installda_for_fa_anmalda,
    district.seats as platser,
    district.registered as anmalda,
    district.participants as deltagare,
    district.cancellation_rate as andel_installda,
    district.cancellation_rate_low as andel_installda_lag,
    district.cancellation_rate_high as andel_installda_hog,
    city.cancellation_rate as staden_andel_installda,
    district.seat_use_rate as andel_anvanda_platser,
    city.seat_use_rate as staden_andel_anvanda_platser,
    (
        (district.groups_started + district.groups_cancelled > 0 and district.cancellation_rate is null)
        or (district.seats > 0 and district.seat_use_rate is null)
    ) as for_fa,
    district.is_provisional as preliminar
from published.mart_recruitment as district
left join published.mart_recruitment as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'intervention_code'
        and city.cohort_basis = 'planerad'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.intervention_code = city.intervention_code
where
    district.district_basis = 'today' and district.cut = 'intervention_code' and district.cohort_basis = 'planerad'
    and district.district_code <> whole_code()
