select left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label,
    map {'0-5': 'Ålder 00–05', '6-12': 'Ålder 06–12', '13-17': 'Ålder 13–17', '18-20': 'Ålder 18–20',
        'vuxen': 'Vuxen', 'okand': 'Ålder okänd', 'alla': 'Alla'}[age_band] as age_label,
    if(re_referral_rate_365_denominator >= 20, re_referral_rate_365_numerator / re_referral_rate_365_denominator, null)
        as re_referral_rate_365
from published.mart_re_referral
where period_kind = 'kvartal'
  and district_basis = 'today' and district_code = 'stockholm' and cohort_basis = 'avslutad'
    and cut in ('total', 'age_band')
