select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.sex as kon,
    district.clinic_age_band as alder,
    district.visits as besok,
    district.new_visitors as nya_besokare,
    district.digital_visits as digitala_besok,
    district.digital_visit_rate as andel_digitala,
    district.digital_visit_rate_low as andel_digitala_lag,
    district.digital_visit_rate_high as andel_digitala_hog,
    city.digital_visit_rate as staden_andel_digitala,
    district.digital_visit_rate is null as for_fa,
    district.is_provisional as preliminar
from published.mart_youth_clinic as district
left join published.mart_youth_clinic as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'clinic_age_band+sex'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.sex = city.sex
        and district.clinic_age_band = city.clinic_age_band
where
    district.district_basis = 'today' and district.cut = 'clinic_age_band+sex'
    and district.district_code <> whole_code()
