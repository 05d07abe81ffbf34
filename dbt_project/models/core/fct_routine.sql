select
    routine_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    unit_kind,
    directed_at,
    routine_status,
    cast(routine_age_days as integer) as routine_age_days,
    revised_date,
    submitted_at
from {{ ref('int_routines__in_force') }}
