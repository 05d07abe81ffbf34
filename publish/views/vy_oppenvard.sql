-- 90 days have passed since a quarter's last decisions once a later quarter is there
with newest as (
    select max(reporting_quarter) as reporting_quarter
    from published.mart_outpatient_care
)

select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.decided as beslutade,
    district.started as paborjade,
    district.ended as avslutade,
    district.ongoing as pagaende,
    district.waiting as vantande,
    district.wait_to_start_mean_days as vantan_till_start_dagar,
    city.wait_to_start_mean_days as staden_vantan_till_start_dagar,
    district.not_started_90_days_rate as andel_ej_paborjade,
    district.not_started_90_days_rate_low as andel_ej_paborjade_lag,
    district.not_started_90_days_rate_high as andel_ej_paborjade_hog,
    city.not_started_90_days_rate as staden_andel_ej_paborjade,
    district.completion_rate as andel_fullfoljda,
    district.completion_rate_low as andel_fullfoljda_lag,
    district.completion_rate_high as andel_fullfoljda_hog,
    city.completion_rate as staden_andel_fullfoljda,
    district.goal_full_rate as andel_mal_helt,
    district.goal_partial_rate as andel_mal_delvis,
    district.goal_none_rate as andel_mal_inte,
    district.goal_not_assessed_rate as andel_mal_ej_bedomt,
    (
        district.wait_to_start_mean_days is null
        or (
            district.not_started_90_days_rate is null
            and district.reporting_quarter < newest.reporting_quarter
        )
        or district.completion_rate is null
        or district.goal_full_rate is null
    ) as for_fa,
    (
        district.not_started_90_days_rate is null
        and district.reporting_quarter = newest.reporting_quarter
    ) as vantar_pa_tid,
    district.is_provisional as preliminar
from published.mart_outpatient_care as district
cross join newest
left join published.mart_outpatient_care as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'total'
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_basis = 'today' and district.cut = 'total' and district.district_code <> whole_code()
