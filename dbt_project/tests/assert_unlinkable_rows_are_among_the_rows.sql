select *
from {{ ref('fct_reporting_status') }}
where
    unlinkable_count > row_count
    or (unlinkable_count > 0 and not is_in_force)
