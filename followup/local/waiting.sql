-- Waiting for assessed outpatient care: the city per quarter of start, beside its shortest and longest waiting district.
with totals as (
    select *
    from marts.mart_outpatient_care
    where
        period_kind = 'kvartal'
        and district_basis = 'as_submitted'
        and cohort_basis = 'handelse'
        and not is_survivors_only
        and columns([
            'intervention_category', 'intervention_code', 'target_group', 'sex', 'age_band', 'provider'
        ]) = 'alla'
),

districts as (
    select
        reporting_quarter,
        min(wait_to_start_median_days) as shortest_days,
        max(wait_to_start_median_days) as longest_days
    from totals
    where district_code not in (select district_code from core.dim_district where kind = 'city')
    group by reporting_quarter
)

select
    city.reporting_quarter as quarter,
    city.started,
    city.wait_to_start_median_days as to_start_days,
    city.wait_to_start_p90_days as to_start_p90_days,
    districts.shortest_days,
    districts.longest_days,
    city.wait_total_median_days as total_days,
    city.waiting
from totals as city
inner join districts
    on city.reporting_quarter = districts.reporting_quarter
where city.district_code in (select district_code from core.dim_district where kind = 'city')
order by quarter
