select left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label,
    map {'0-5': 'Ålder 00–05', '6-12': 'Ålder 06–12', '13-17': 'Ålder 13–17', '18-20': 'Ålder 18–20',
        'vuxen': 'Vuxen', 'okand': 'Ålder okänd', 'alla': 'Alla'}[age_band] as group_label,
    if(denominator >= 20, numerator / denominator, null) as rate
from published.mart_goal_indicators
where period_kind = 'kvartal'
  and district_basis = 'today' and district_code = 'stockholm' and indicator_code = 'within_60_days_rate'
    and pilot = 'alla' and socioeconomic = 'alla' and sex = 'alla'
