select
    wait_kind || '|' || source_key as wait_key,
    wait_kind,
    district_code,
    reporting_quarter,
    intervention_category,
    intervention_code,
    cast(wait_days as integer) as wait_days,
    cast(wait_known_count as integer) as wait_known_count,
    cast(wait_summed_count as integer) as wait_summed_count,
    cast(wait_sum_days as integer) as wait_sum_days,
    cast(waited_0_7_days_count as integer) as waited_0_7_days_count,
    cast(waited_8_14_days_count as integer) as waited_8_14_days_count,
    cast(waited_15_30_days_count as integer) as waited_15_30_days_count,
    cast(waited_31_90_days_count as integer) as waited_31_90_days_count,
    cast(waited_over_90_days_count as integer) as waited_over_90_days_count,
    cast(queue_count as integer) as queue_count,
    record_key
from {{ ref('int_waits__combined') }}
where wait_known_count > 0 or wait_summed_count > 0 or queue_count > 0
