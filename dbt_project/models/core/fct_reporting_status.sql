select
    district_code || '|' || reporting_quarter || '|' || dataset as reporting_key,
    district_code,
    reporting_quarter,
    dataset,
    submission_id,
    state,
    version,
    attempts,
    row_count,
    error_count,
    open_query_count,
    unlinkable_count,
    is_expected,
    is_in_force,
    is_on_time,
    deadline_date,
    first_accepted_at
from {{ ref('int_submissions__expected') }}
