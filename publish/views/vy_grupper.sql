with started as (
    select
        district_code,
        period_kind,
        period,
        intervention_category,
        intervention_code,
        groups_started,
        seats,
        participants,
        girls,
        boys,
        mothers,
        fathers,
        fill_rate,
        fill_rate_low,
        fill_rate_high,
        is_provisional
    from published.mart_recruitment
    where district_basis = 'today' and cut = 'intervention_code' and cohort_basis = 'startad'
),

free as (
    select
        seats_district_code as district_code,
        period_kind,
        period,
        intervention_category,
        intervention_code,
        max(seats_free) as seats_free,
        min(earliest_start_date) as earliest_start_date
    from published.mart_vacancies
    where district_basis = 'today' and seats_district_code <> 'alla'
    group by seats_district_code, period_kind, period, intervention_category, intervention_code
),

vacancies as (
    select
        period_kind,
        period,
        bool_or(is_provisional) as is_provisional
    from published.mart_vacancies
    group by period_kind, period
),

-- groups that started are published once all of a district's are: then it, or the whole city, has a total
whole as (
    select
        district_code,
        period_kind,
        period
    from published.mart_recruitment
    where district_basis = 'today' and cut = 'total' and cohort_basis = 'startad'
),

listed as (
    select
        district_code,
        period_kind,
        period,
        intervention_category,
        intervention_code,
        is_provisional
    from started
    union
    select
        free.district_code,
        free.period_kind,
        free.period,
        free.intervention_category,
        free.intervention_code,
        coalesce(started.is_provisional, vacancies.is_provisional) as is_provisional
    from free
    inner join vacancies on free.period_kind = vacancies.period_kind and free.period = vacancies.period
    left join started
        on
            free.district_code = started.district_code
            and free.period_kind = started.period_kind
            and free.period = started.period
            and free.intervention_code = started.intervention_code
)

select
    listed.district_code as stadsdel,
    listed.period_kind as periodtyp,
    listed.period,
    listed.intervention_category as insatskategori,
    listed.intervention_code as insats,
    coalesce(district.groups_started, if(listed.is_there, 0, null)) as startade_grupper,
    coalesce(district.seats, if(listed.is_there, 0, null)) as platser,
    coalesce(district.participants, if(listed.is_there, 0, null)) as deltagare,
    coalesce(district.girls, if(listed.is_there, 0, null)) as flickor,
    coalesce(district.boys, if(listed.is_there, 0, null)) as pojkar,
    coalesce(district.mothers, if(listed.is_there, 0, null)) as mammor,
    coalesce(district.fathers, if(listed.is_there, 0, null)) as pappor,
    district.fill_rate as andel_fyllda,
    district.fill_rate_low as andel_fyllda_lag,
    district.fill_rate_high as andel_fyllda_hog,
    city.fill_rate as staden_andel_fyllda,
    coalesce(free.seats_free, 0) as lediga_platser,
    free.earliest_start_date as tidigaste_start,
    coalesce(district.seats > 0 and district.fill_rate is null, false) as for_fa,
    not listed.is_there as vantar_pa_tid,
    listed.is_provisional as preliminar
from (
    select
        listed.*,
        own.district_code is not null or of_city.district_code is not null as is_there
    from listed
    left join whole as own
        on
            listed.district_code = own.district_code
            and listed.period_kind = own.period_kind
            and listed.period = own.period
    left join whole as of_city
        on
            of_city.district_code = whole_code()
            and listed.period_kind = of_city.period_kind
            and listed.period = of_city.period
) as listed
left join started as district
    on
        listed.district_code = district.district_code
        and listed.period_kind = district.period_kind
        and listed.period = district.period
        and listed.intervention_code = district.intervention_code
left join started as city
    on
        city.district_code = whole_code()
        and listed.period_kind = city.period_kind
        and listed.period = city.period
        and listed.intervention_code = city.intervention_code
left join free
    on
        listed.district_code = free.district_code
        and listed.period_kind = free.period_kind
        and listed.period = free.period
        and listed.intervention_code = free.intervention_code
where listed.district_code <> whole_code()
