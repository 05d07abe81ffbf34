select district_label,
    map {'service': 'Serviceinsats', 'assessed': 'Biståndsbedömd öppenvård', 'youth_clinic': 'Ungdomsmottagning',
        'parenting_programme': 'Föräldrautbildning i grupp'}[wait_kind]
        as wait_kind_label,
    wait_mean_days
from published.mart_waiting_times
where period_kind = 'kvartal'
  and district_basis = 'today' and intervention_category = 'alla'
qualify reporting_quarter = max(reporting_quarter) over (partition by wait_kind)
