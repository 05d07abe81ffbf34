{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_serviceinsatser') }}
),

counted as (
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
    counted.submission_id || '|' || counted.source_row_number as service_key,
    counted.district_code,
    counted.reporting_quarter,
    counted.submission_id,
    counted.source_file_sha256,
    counted.source_row_number,
    coalesce(interventions.category, 'okand') as intervention_category,
    coalesce(counted.intervention_code, 'okand') as intervention_code,
    coalesce(counted.target_group, 'okand') as target_group,
    coalesce(counted.sex, 'okant') as sex,
    coalesce(counted.age_band, 'okand') as age_band,
    coalesce(counted.referred_from, 'okand') as referred_from,
    coalesce(counted.started_count, 0) as started_count,
    coalesce(counted.ongoing_count, 0) as ongoing_count,
    coalesce(counted.completed_count, 0) as completed_count,
    coalesce(counted.interrupted_count, 0) as interrupted_count,
    coalesce(counted.session_count, 0) as session_count,
    coalesce(counted.followed_up_count, 0) as followed_up_count,
    coalesce(counted.better_count, 0) as better_count,
    coalesce(counted.unchanged_count, 0) as unchanged_count,
    coalesce(counted.worse_count, 0) as worse_count,
    coalesce(counted.queue_count, 0) as queue_count,
    coalesce(counted.waited_0_7_days_count, 0) as waited_0_7_days_count,
    coalesce(counted.waited_8_14_days_count, 0) as waited_8_14_days_count,
    coalesce(counted.waited_15_30_days_count, 0) as waited_15_30_days_count,
    coalesce(counted.waited_31_90_days_count, 0) as waited_31_90_days_count,
    coalesce(counted.waited_over_90_days_count, 0) as waited_over_90_days_count,
    cast(counted.wait_known_count as integer) as wait_known_count,
    -- those whose days are in the sum: the mean's denominator
    cast(case when counted.wait_sum_days is not null then counted.wait_known_count else 0 end as integer)
        as wait_summed_count,
    case when counted.wait_known_count > 0 then coalesce(counted.wait_sum_days, 0) else 0 end as wait_sum_days,
    counted.submitted_at
from counted
left join {{ ref('interventions') }} as interventions
    on counted.intervention_code = interventions.intervention_code
