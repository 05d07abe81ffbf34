select
    mart,
    broken_measure,
    reporting_quarter,
    why_sv
from {{ ref('series_breaks') }}
