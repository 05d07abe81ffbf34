{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_serviceinsatser') }}
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
    summed.submission_id || '|' || summed.source_row_number as service_key,
    summed.district_code,
    summed.reporting_quarter,
    summed.submission_id,
    summed.source_file_sha256,
    summed.source_row_number,
    coalesce(interventions.category, 'okand') as intervention_category,
    coalesce(summed.intervention_code, 'okand') as intervention_code,
    coalesce(summed.target_group, 'okand') as target_group,
    coalesce(summed.sex, 'okant') as sex,
    coalesce(summed.age_band, 'okand') as age_band,
    coalesce(summed.referred_from, 'okand') as referred_from,
    coalesce(summed.started_count, 0) as started_count,
    coalesce(summed.ongoing_count, 0) as ongoing_count,
    coalesce(summed.completed_count, 0) as completed_count,
    coalesce(summed.interrupted_count, 0) as interrupted_count,
    coalesce(summed.session_count, 0) as session_count,
    coalesce(summed.followed_up_count, 0) as followed_up_count,
    coalesce(summed.better_count, 0) as better_count,
    coalesce(summed.unchanged_count, 0) as unchanged_count,
    coalesce(summed.worse_count, 0) as worse_count,
    coalesce(summed.queue_count, 0) as queue_count,
    coalesce(summed.waited_0_7_days_count, 0) as waited_0_7_days_count,
    coalesce(summed.waited_8_14_days_count, 0) as waited_8_14_days_count,
    coalesce(summed.waited_15_30_days_count, 0) as waited_15_30_days_count,
    coalesce(summed.waited_31_90_days_count, 0) as waited_31_90_days_count,
    coalesce(summed.waited_over_90_days_count, 0) as waited_over_90_days_count,
    cast(summed.wait_known_count as integer) as wait_known_count,
    -- those whose days are in the sum: the denominator of the mean
    cast(case when summed.wait_sum_days is not null then summed.wait_known_count else 0 end as integer)
        as wait_summed_count,
    case when summed.wait_known_count > 0 then coalesce(summed.wait_sum_days, 0) else 0 end as wait_sum_days,
    summed.submitted_at
from summed
left join {{ ref('interventions') }} as interventions
    on summed.intervention_code = interventions.intervention_code
