{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_aktiviteter') }}
)

select
    submission_id || '|' || source_row_number as activity_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    coalesce(activity_type, 'okand') as activity_type,
    -- only a training has a level
    coalesce(activity_level, 'ingen') as activity_level,
    coalesce(theme, 'okand') as theme,
    coalesce(audience, 'okand') as audience,
    coalesce(participant_count, 0) as participant_count,
    activity_date,
    submitted_at
from rows_in_force
