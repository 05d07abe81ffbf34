select left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label,
    map {'alla': 'Alla', 'foraldrautbildning': 'Föräldrautbildning i grupp', 'ovrigt_foraldrastod': 'Övrigt föräldrastöd',
        'barngrupp': 'Barngrupp', 'ovrig_forebyggande': 'Övrig förebyggande', 'behandling': 'Behandling',
        'kontakt': 'Kontaktperson eller kontaktfamilj'}[intervention_category] as category_label,
    started
from published.mart_service_interventions
where period_kind = 'kvartal'
  and district_basis = 'today' and district_code = 'stockholm'
  and cut in ('total', 'intervention_category')
