select
    reason_code,
    name as reason_label,
    side as reason_side
from {{ ref('reasons') }}
