with followed as (
    select
        district_code,
        period_kind,
        period,
        'service' as insatsform,
        true as is_ripe,
        follow_up_rate_denominator,
        follow_up_rate_numerator,
        follow_up_rate,
        follow_up_rate_low,
        follow_up_rate_high,
        completion_rate,
        completion_rate_low,
        completion_rate_high,
        is_provisional
    from published.mart_service_interventions
    where district_basis = 'today' and cut = 'total'
    union all
    select
        district_code,
        period_kind,
        period,
        'bistand' as insatsform,
        -- 90 days have passed since a quarter's last endings once a later quarter is there
        follow_up_rate is not null or reporting_quarter < max(reporting_quarter) over () as is_ripe,
        follow_up_rate_denominator,
        follow_up_rate_numerator,
        follow_up_rate,
        follow_up_rate_low,
        follow_up_rate_high,
        completion_rate,
        completion_rate_low,
        completion_rate_high,
        is_provisional
    from published.mart_outpatient_care
    where district_basis = 'today' and cut = 'total'
)

select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.insatsform,
    if(district.is_ripe, district.follow_up_rate_denominator, null) as avslutade_insatser,
    if(district.is_ripe, district.follow_up_rate_numerator, null) as uppfoljda,
    district.follow_up_rate as andel_uppfoljda,
    district.follow_up_rate_low as andel_uppfoljda_lag,
    district.follow_up_rate_high as andel_uppfoljda_hog,
    city.follow_up_rate as staden_andel_uppfoljda,
    district.completion_rate as andel_fullfoljda,
    district.completion_rate_low as andel_fullfoljda_lag,
    district.completion_rate_high as andel_fullfoljda_hog,
    city.completion_rate as staden_andel_fullfoljda,
    (
        (district.is_ripe and district.follow_up_rate is null)
        or district.completion_rate is null
    ) as for_fa,
    not district.is_ripe as vantar_pa_tid,
    district.is_provisional as preliminar
from followed as district
left join followed as city
    on
        city.district_code = whole_code()
        and district.insatsform = city.insatsform
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_code <> whole_code()
