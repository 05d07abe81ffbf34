with supply as (
    select *, map {'alla': 'Alla', 'foraldrautbildning': 'Föräldrautbildning i grupp', 'ovrigt_foraldrastod': 'Övrigt föräldrastöd',
            'barngrupp': 'Barngrupp', 'ovrig_forebyggande': 'Övrig förebyggande', 'behandling': 'Behandling',
            'kontakt': 'Kontaktperson eller kontaktfamilj'}[intervention_category] as category_label
    from published.mart_supply
    where period_kind = 'kvartal'
      and district_basis = 'today' and form = 'alla' and directed_at = 'alla' and intervention_code <> 'alla'
        and reporting_quarter = (select max(reporting_quarter) from published.mart_supply)
),
whose as (
    select intervention_code, list_aggregate(list_sort(list(district_label)), 'string_agg', ', ') as offered_by
    from supply where is_offered and district_code <> 'stockholm' group by all
)
select category_label, intervention_label, districts_offering as city_districts_offering,
    districts_in_force as city_districts_in_force, offered_by
from supply left join whose using (intervention_code)
where district_code = 'stockholm'
