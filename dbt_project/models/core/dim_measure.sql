select
    measure,
    name as measure_label,
    family as measure_family,
    form as measure_form,
    dataset,
    is_high_better,
    numerator_over_year,
    denominator_over_year
from {{ ref('equity_measures') }}
