select
    source_code,
    name as source_label,
    is_professional
from {{ ref('sources') }}
