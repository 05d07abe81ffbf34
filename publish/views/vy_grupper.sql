with free as (
    select
        seats_district_code as district_code,
        period_kind,
        period,
        intervention_code,
        max(seats_free) as seats_free,
        min(earliest_start_date) as earliest_start_date
    from published.mart_vacancies
    where district_basis = 'today' and seats_district_code <> 'alla'
    group by seats_district_code, period_kind, period, intervention_code
)

select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.intervention_category as insatskategori,
    district.intervention_code as insats,
    district.groups_started as startade_grupper,
    district.seats as platser,
    district.participants as deltagare,
    district.girls as flickor,
    district.boys as pojkar,
    district.mothers as mammor,
    district.fathers as pappor,
    district.fill_rate as andel_fyllda,
    district.fill_rate_low as andel_fyllda_lag,
    district.fill_rate_high as andel_fyllda_hog,
    city.fill_rate as staden_andel_fyllda,
    coalesce(free.seats_free, 0) as lediga_platser,
    free.earliest_start_date as tidigaste_start,
    district.fill_rate is null as for_fa,
    district.is_provisional as preliminar
from published.mart_recruitment as district
left join published.mart_recruitment as city
    on
        city.district_code = 'stockholm'
        and city.district_basis = 'today'
        and city.cut = 'intervention_code'
        and city.cohort_basis = 'startad'
        and city.period_kind = district.period_kind
        and city.period = district.period
        and city.intervention_code = district.intervention_code
left join free
    on
        free.district_code = district.district_code
        and free.period_kind = district.period_kind
        and free.period = district.period
        and free.intervention_code = district.intervention_code
where
    district.district_basis = 'today' and district.cut = 'intervention_code' and district.cohort_basis = 'startad'
    and district.district_code <> 'stockholm'
