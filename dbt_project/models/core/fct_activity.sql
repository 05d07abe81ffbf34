select
    activity_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    activity_type,
    activity_level,
    theme,
    audience,
    participant_count,
    activity_date,
    submitted_at
from {{ ref('int_activities__in_force') }}
