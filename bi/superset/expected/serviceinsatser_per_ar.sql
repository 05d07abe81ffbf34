select calendar_year::varchar as year_label, ended, completed
from published.mart_service_interventions_yearly
where district_basis = 'today' and district_code = 'stockholm'
    and list_distinct([intervention_category, target_group, referred_from, sex, age_band]) = ['alla']
