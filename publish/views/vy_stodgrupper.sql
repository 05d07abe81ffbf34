select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.directed_at as riktad_till,
    district.groups_planned as planerade_grupper,
    district.groups_running as pagaende_grupper,
    district.groups_started as startade_grupper,
    district.groups_cancelled as installda_grupper,
    district.children as barn,
    district.girls as flickor,
    district.boys as pojkar,
    district.social_services_rate as andel_genom_socialtjansten,
    district.social_services_rate_low as andel_genom_socialtjansten_lag,
    district.social_services_rate_high as andel_genom_socialtjansten_hog,
    city.social_services_rate as staden_andel_genom_socialtjansten,
    district.social_services_rate is null as for_fa,
    district.is_provisional as preliminar
from published.mart_support_groups as district
left join published.mart_support_groups as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'directed_at'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.directed_at = city.directed_at
where
    district.district_basis = 'today' and district.cut = 'directed_at'
    and district.district_code <> whole_code()
