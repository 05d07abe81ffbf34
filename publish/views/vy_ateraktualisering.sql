select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.child_heard_answer as barnet_hort,
    district.re_referral_rate_365_denominator as foljda_utredningar,
    district.re_referral_rate_365_numerator as ateraktualiserade_inom_ett_ar,
    district.re_referral_rate_90 as andel_ater_90_dagar,
    district.re_referral_rate_180 as andel_ater_180_dagar,
    district.re_referral_rate_365 as andel_ater_ett_ar,
    district.re_referral_rate_365_low as andel_ater_ett_ar_lag,
    district.re_referral_rate_365_high as andel_ater_ett_ar_hog,
    city.re_referral_rate_365 as staden_andel_ater_ett_ar,
    (
        district.re_referral_rate_90 is null
        or district.re_referral_rate_180 is null
        or district.re_referral_rate_365 is null
    ) as for_fa,
    district.is_provisional as preliminar
from published.mart_re_referral as district
left join published.mart_re_referral as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'child_heard_answer'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.child_heard_answer = city.child_heard_answer
where
    district.district_basis = 'today' and district.cut = 'child_heard_answer'
    and district.district_code <> whole_code()
