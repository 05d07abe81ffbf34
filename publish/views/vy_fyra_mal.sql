with goals as (
    select
        district_code,
        period_kind,
        period,
        max(case when indicator_code = 'within_60_days_rate' then denominator end) as utredningar,
        max(case when indicator_code = 'within_60_days_rate' then rate end) as andel_inom_60_dagar,
        max(case when indicator_code = 'within_60_days_rate' then rate_low end) as andel_inom_60_dagar_lag,
        max(case when indicator_code = 'within_60_days_rate' then rate_high end) as andel_inom_60_dagar_hog,
        max(case when indicator_code = 're_referral_rate_365' then denominator end) as foljda_utredningar,
        max(case when indicator_code = 're_referral_rate_365' then rate end) as andel_ater,
        max(case when indicator_code = 're_referral_rate_365' then rate_low end) as andel_ater_lag,
        max(case when indicator_code = 're_referral_rate_365' then rate_high end) as andel_ater_hog,
        max(case when indicator_code = 'acceptance_rate' then denominator end) as besvarade_erbjudanden,
        max(case when indicator_code = 'acceptance_rate' then rate end) as andel_tackat_ja,
        max(case when indicator_code = 'acceptance_rate' then rate_low end) as andel_tackat_ja_lag,
        max(case when indicator_code = 'acceptance_rate' then rate_high end) as andel_tackat_ja_hog,
        max(case when indicator_code = 'completion_rate' then denominator end) as avslutade_insatser,
        max(case when indicator_code = 'completion_rate' then rate end) as andel_fullfoljda,
        max(case when indicator_code = 'completion_rate' then rate_low end) as andel_fullfoljda_lag,
        max(case when indicator_code = 'completion_rate' then rate_high end) as andel_fullfoljda_hog,
        bool_or(is_provisional) as preliminar
    from published.mart_goal_indicators
    where
        district_basis = 'today' and cut = 'total'
        and indicator_code in ('within_60_days_rate', 're_referral_rate_365', 'acceptance_rate', 'completion_rate')
    group by district_code, period_kind, period
),

-- a goal whose time has passed has rows: of the city when it has for all, else of the district itself
ripe as (
    select
        district.district_code,
        district.period_kind,
        district.period,
        (city.utredningar is not null or district.utredningar is not null) as has_60,
        (city.foljda_utredningar is not null or district.foljda_utredningar is not null) as has_return,
        (city.besvarade_erbjudanden is not null or district.besvarade_erbjudanden is not null) as has_accepted,
        (city.avslutade_insatser is not null or district.avslutade_insatser is not null) as has_completed,
        (
            city.utredningar is not null
            and city.foljda_utredningar is not null
            and city.besvarade_erbjudanden is not null
            and city.avslutade_insatser is not null
        ) as is_city_ripe
    from goals as district
    left join goals as city
        on
            city.district_code = whole_code()
            and district.period_kind = city.period_kind
            and district.period = city.period
)

select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    case when ripe.has_60 then coalesce(district.utredningar, 0) end as utredningar,
    district.andel_inom_60_dagar,
    district.andel_inom_60_dagar_lag,
    district.andel_inom_60_dagar_hog,
    city.andel_inom_60_dagar as staden_andel_inom_60_dagar,
    round(1 - district.andel_inom_60_dagar, 12) as andel_over_60_dagar,
    round(1 - district.andel_inom_60_dagar_hog, 12) as andel_over_60_dagar_lag,
    round(1 - district.andel_inom_60_dagar_lag, 12) as andel_over_60_dagar_hog,
    round(1 - city.andel_inom_60_dagar, 12) as staden_andel_over_60_dagar,
    case when ripe.has_return then coalesce(district.foljda_utredningar, 0) end as foljda_utredningar,
    district.andel_ater,
    district.andel_ater_lag,
    district.andel_ater_hog,
    city.andel_ater as staden_andel_ater,
    case when ripe.has_accepted then coalesce(district.besvarade_erbjudanden, 0) end as besvarade_erbjudanden,
    district.andel_tackat_ja,
    district.andel_tackat_ja_lag,
    district.andel_tackat_ja_hog,
    city.andel_tackat_ja as staden_andel_tackat_ja,
    case when ripe.has_completed then coalesce(district.avslutade_insatser, 0) end as avslutade_insatser,
    district.andel_fullfoljda,
    district.andel_fullfoljda_lag,
    district.andel_fullfoljda_hog,
    city.andel_fullfoljda as staden_andel_fullfoljda,
    (
        (ripe.has_60 and district.andel_inom_60_dagar is null)
        or (ripe.has_return and district.andel_ater is null)
        or (ripe.has_accepted and district.andel_tackat_ja is null)
        or (ripe.has_completed and district.andel_fullfoljda is null)
    ) as for_fa,
    not(
        ripe.has_60
        and ripe.has_return
        and ripe.has_accepted
        and ripe.has_completed
        and coalesce(ripe.is_city_ripe, false)
    ) as vantar_pa_tid,
    district.preliminar
from goals as district
inner join ripe
    on
        district.district_code = ripe.district_code
        and district.period_kind = ripe.period_kind
        and district.period = ripe.period
left join goals as city
    on
        city.district_code = whole_code()
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_code <> whole_code()
