with rates as (
    from published.mart_goal_indicators
    where period_kind = 'kvartal'
      and district_basis = 'today' and district_code = 'stockholm' and pilot = 'alla' and socioeconomic = 'alla'
        and indicator_code in ('offer_rate', 'acceptance_rate')
),
by_age as (
    select reporting_quarter, indicator_label, if(denominator >= 20, numerator / denominator, null) as rate, map {'0-5': 'Ålder 00–05', '6-12': 'Ålder 06–12', '13-17': 'Ålder 13–17', '18-20': 'Ålder 18–20',
            'vuxen': 'Vuxen', 'okand': 'Ålder okänd', 'alla': 'Alla'}[age_band] as group_label
    from rates where sex = 'alla'
),
by_sex as (
    select reporting_quarter, indicator_label, if(denominator >= 20, numerator / denominator, null) as rate,
        map {'kvinna': 'Kvinna', 'man': 'Man', 'okant': 'Kön okänt'}[sex] as group_label
    from rates where sex <> 'alla' and age_band = 'alla'
),
points as (from by_age union all from by_sex)
select group_label, indicator_label, rate from points
qualify reporting_quarter = max(reporting_quarter) over (partition by indicator_label)
