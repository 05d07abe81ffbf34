select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.interviews as barnforhor,
    district.home_without_placement as hem_utan_placering,
    district.followed_up_same_day as uppfoljda_samma_dygn,
    district.followed_up_within_3_days as uppfoljda_inom_tre_dygn,
    district.within_3_days_follow_up_rate as andel_inom_tre_dygn,
    district.within_3_days_follow_up_rate_low as andel_inom_tre_dygn_lag,
    district.within_3_days_follow_up_rate_high as andel_inom_tre_dygn_hog,
    city.within_3_days_follow_up_rate as staden_andel_inom_tre_dygn,
    district.within_3_days_follow_up_rate is null as for_fa,
    district.is_provisional as preliminar
from published.mart_protection_follow_up as district
left join published.mart_protection_follow_up as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'total'
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_basis = 'today' and district.cut = 'total' and district.district_code <> whole_code()
