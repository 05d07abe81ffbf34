select
    protection_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    time_of_week,
    interview_count,
    home_without_placement_count,
    followed_up_same_day_count,
    followed_up_within_3_days_count,
    submitted_at,
    {{ record_key(['district_code', 'reporting_quarter', 'time_of_week']) }} as record_key
from {{ ref('int_protection_follow_ups__in_force') }}
