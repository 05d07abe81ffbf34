{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_ungdomsmottagning') }}
),

summed as (
    select
        *,
        coalesce(waited_0_7_days_count, 0)
        + coalesce(waited_8_14_days_count, 0)
        + coalesce(waited_15_30_days_count, 0)
        + coalesce(waited_31_90_days_count, 0)
        + coalesce(waited_over_90_days_count, 0) as wait_known_count
    from rows_in_force
)

select
    submission_id || '|' || source_row_number as clinic_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    coalesce(trim(clinic), 'okand') as clinic,
    coalesce(sex, 'okant') as sex,
    coalesce(clinic_age_band, 'okand') as clinic_age_band,
    coalesce(visit_count, 0) as visit_count,
    coalesce(new_visitor_count, 0) as new_visitor_count,
    coalesce(digital_visit_count, 0) as digital_visit_count,
    coalesce(waited_0_7_days_count, 0) as waited_0_7_days_count,
    coalesce(waited_8_14_days_count, 0) as waited_8_14_days_count,
    coalesce(waited_15_30_days_count, 0) as waited_15_30_days_count,
    coalesce(waited_31_90_days_count, 0) as waited_31_90_days_count,
    coalesce(waited_over_90_days_count, 0) as waited_over_90_days_count,
    cast(wait_known_count as integer) as wait_known_count,
    -- those whose days are in the sum: the denominator of the mean
    cast(case when wait_sum_days is not null then wait_known_count else 0 end as integer) as wait_summed_count,
    case when wait_known_count > 0 then coalesce(wait_sum_days, 0) else 0 end as wait_sum_days,
    submitted_at
from summed
