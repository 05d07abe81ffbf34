{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_skyddsuppfoljning') }}
)

select
    submission_id || '|' || source_row_number as protection_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    coalesce(time_of_week, 'okand') as time_of_week,
    coalesce(interview_count, 0) as interview_count,
    coalesce(home_without_placement_count, 0) as home_without_placement_count,
    coalesce(followed_up_same_day_count, 0) as followed_up_same_day_count,
    coalesce(followed_up_within_3_days_count, 0) as followed_up_within_3_days_count,
    submitted_at
from rows_in_force
