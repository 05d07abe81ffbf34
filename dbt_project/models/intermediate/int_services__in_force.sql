{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_serviceinsatser') }}
)

select
    rows_in_force.submission_id || '|' || rows_in_force.source_row_number as service_key,
    rows_in_force.district_code,
    rows_in_force.reporting_quarter,
    rows_in_force.submission_id,
    rows_in_force.source_file_sha256,
    rows_in_force.source_row_number,
    coalesce(interventions.category, 'okand') as intervention_category,
    coalesce(rows_in_force.intervention_code, 'okand') as intervention_code,
    coalesce(rows_in_force.target_group, 'okand') as target_group,
    coalesce(rows_in_force.sex, 'okant') as sex,
    coalesce(rows_in_force.age_band, 'okand') as age_band,
    coalesce(rows_in_force.referred_from, 'okand') as referred_from,
    rows_in_force.legal_ground,
    coalesce(rows_in_force.started_count, 0) as started_count,
    coalesce(rows_in_force.ongoing_count, 0) as ongoing_count,
    coalesce(rows_in_force.completed_count, 0) as completed_count,
    coalesce(rows_in_force.interrupted_count, 0) as interrupted_count,
    coalesce(rows_in_force.session_count, 0) as session_count,
    coalesce(rows_in_force.followed_up_count, 0) as followed_up_count,
    coalesce(rows_in_force.better_count, 0) as better_count,
    coalesce(rows_in_force.unchanged_count, 0) as unchanged_count,
    coalesce(rows_in_force.worse_count, 0) as worse_count,
    coalesce(rows_in_force.queue_count, 0) as queue_count,
    {{ reported_waits('rows_in_force') }},
    rows_in_force.submitted_at
from rows_in_force
left join {{ ref('interventions') }} as interventions
    on rows_in_force.intervention_code = interventions.intervention_code
