select left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label, decided, started, ongoing, waiting
from published.mart_outpatient_care
where period_kind = 'kvartal'
  and district_basis = 'today' and district_code = 'stockholm'
    and list_distinct([intervention_category, intervention_code, target_group, provider, sex, age_band]) = ['alla']
