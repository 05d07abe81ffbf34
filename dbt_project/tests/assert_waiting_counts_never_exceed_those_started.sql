select *
from {{ ref('mart_service_interventions') }}
where
    wait_n > started
    or wait_n
    <> waited_0_7_days + waited_8_14_days + waited_15_30_days + waited_31_90_days + waited_over_90_days
