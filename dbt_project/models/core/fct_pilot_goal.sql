with pilots as (
    select distinct pilot_from_date as pilot_start_date
    from {{ ref('dim_area') }}
    where pilot_from_date is not null
),

-- counts of the four goals: of the pilot areas that began on the day, and of the areas that are never pilot areas.
-- Cases of an unknown area are left out, as they may be of either.
{%- for code in goal_codes() %}
{%- set indicator = indicators()[code] %}
{%- set cohort = cohorts()[indicator.cohort_basis] %}
{{ code }} as (
    select
        pilots.pilot_start_date,
        '{{ code }}' as indicator_code,
        '{{ cohort.dataset }}' as dataset,
        facts.district_code,
        facts.area_code,
        facts.{{ cohort.quarter }} as reporting_quarter,
        facts.sex,
        facts.{{ cohort.age_band }} as age_band,
        facts.socioeconomic,
        facts.pilot_from_date is not null as is_pilot_area,
        facts.{{ cohort.date }} >= pilots.pilot_start_date as is_after,
        {{ is_before_first_file(cohort) }} as is_before_first_file,
        {{ count_where(indicator.scope) }} as in_scope,
        {{ rate_counts_with_keys(
            'cell', indicator.numerator, '(' ~ indicator.scope ~ ') and (' ~ indicator.denominator ~ ')',
            'facts.' ~ cohort.record_key, indicator.numerator_key
        ) | indent(8) }}
    from {{ ref(cohort.fact) }} as facts
    inner join pilots
        on coalesce(facts.pilot_from_date, pilots.pilot_start_date) = pilots.pilot_start_date
    where facts.{{ cohort.quarter }} is not null and facts.area_code <> 'okand'
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
),
{%- endfor %}

unioned as (
    {%- for code in goal_codes() %}
    select * from {{ code }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

-- survivors have no rates: they are left out here
select
    unioned.pilot_start_date,
    unioned.indicator_code,
    unioned.dataset,
    unioned.district_code,
    unioned.area_code,
    unioned.reporting_quarter,
    unioned.sex,
    unioned.age_band,
    unioned.socioeconomic,
    unioned.is_pilot_area,
    unioned.is_after,
    unioned.in_scope,
    unioned.cell_numerator,
    cast(unioned.cell_numerator__key as bigint) as cell_numerator__key,
    unioned.cell_denominator,
    cast(unioned.cell_denominator__key as bigint) as cell_denominator__key
from unioned
left join {{ ref('fct_quarter_covered') }} as covered
    on
        unioned.district_code = covered.district_code
        and unioned.reporting_quarter = covered.reporting_quarter
        and covered.dataset = 'arenden'
where
    not unioned.is_before_first_file
    and (unioned.dataset <> 'arenden' or covered.district_code is not null)
    and unioned.in_scope > 0
