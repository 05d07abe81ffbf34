select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.sex as kon,
    district.age_band as alder,
    district.concluded as avslutade_utredningar,
    coalesce(city.concluded, if(whole.period is null, null, 0)) as staden_avslutade_utredningar,
    district.offered as erbjudna_insats,
    coalesce(city.offered, if(whole.period is null, null, 0)) as staden_erbjudna_insats,
    district.accepted as tackat_ja,
    coalesce(city.accepted, if(whole.period is null, null, 0)) as staden_tackat_ja,
    district.offer_rate as andel_erbjudna,
    district.offer_rate_low as andel_erbjudna_lag,
    district.offer_rate_high as andel_erbjudna_hog,
    city.offer_rate as staden_andel_erbjudna,
    district.offer_rate is null as for_fa,
    district.is_provisional as preliminar
from published.mart_case_flow as district
left join published.mart_case_flow as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'age_band+sex'
        and city.cohort_basis = 'avslutad'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.sex = city.sex
        and district.age_band = city.age_band
left join published.mart_case_flow as whole
    on
        whole.district_code = whole_code()
        and whole.district_basis = 'today'
        and whole.cut = 'total'
        and whole.cohort_basis = 'avslutad'
        and district.period_kind = whole.period_kind
        and district.period = whole.period
where
    district.district_basis = 'today' and district.cut = 'age_band+sex' and district.cohort_basis = 'avslutad'
    and district.district_code <> whole_code()
