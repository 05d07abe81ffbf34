select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.intervention_category as insatskategori,
    district.intervention_code as insats,
    district.sex as kon,
    district.started as paborjade,
    district.ongoing as pagaende,
    district.completed as fullfoljda,
    district.interrupted as avbrutna,
    district.sessions as tillfallen,
    district.completion_rate as andel_fullfoljda,
    district.completion_rate_low as andel_fullfoljda_lag,
    district.completion_rate_high as andel_fullfoljda_hog,
    city.completion_rate as staden_andel_fullfoljda,
    coalesce(district.is_capped and district.completion_rate = cap_of_policy(), false) as minst_sa_stor,
    coalesce(city.is_capped and city.completion_rate = cap_of_policy(), false) as staden_minst_sa_stor,
    district.completion_rate is null as for_fa,
    district.is_provisional as preliminar
from published.mart_service_interventions as district
left join published.mart_service_interventions as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'intervention_code+sex'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.intervention_code = city.intervention_code
        and district.sex = city.sex
where
    district.district_basis = 'today' and district.cut = 'intervention_code+sex'
    and district.district_code <> whole_code()
