select left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label,
    map {'alla': 'Alla', 'missbruk': 'Missbruk', 'psykisk_funktionsnedsattning': 'Psykisk funktionsnedsättning',
        'vald': 'Våld'}[directed_at] as directed_at_label,
    children
from published.mart_support_groups
where period_kind = 'kvartal'
  and district_basis = 'today' and district_code = 'stockholm'
