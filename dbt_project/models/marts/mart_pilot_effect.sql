{%- set dimensions = [['sex'], ['age_band'], ['socioeconomic']] -%}
{%- set keys = ['pilot_start_date', 'indicator_code'] -%}
{%- set rates = pilot_cells() | map('first') | list -%}

with pilots as (
    select distinct pilot_from_date as pilot_start_date
    from {{ ref('dim_area') }}
    where pilot_from_date is not null
),

-- 1. Counts of the four goals: of the pilot areas that began on the day, and of the areas that are never pilot areas.
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
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
),
{%- endfor %}

unioned as (
    {%- for code in goal_codes() %}
    select * from {{ code }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- survivors have no rates: they are left out here
rated_rows as (
    select unioned.*
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
),

-- 2. The four cells (pilot and line, before and after) in every breakdown, and the difference
cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        min(reporting_quarter) filter (where cell_denominator > 0) as first_counted_quarter,
        max(reporting_quarter) filter (where cell_denominator > 0) as last_counted_quarter,
        min(dataset) as dataset,
        {{ pilot_cell_counts() | indent(8) }}
    from rated_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

estimated as (
    select
        *,
        {{ difference_in_differences() | indent(8) }} as difference_in_differences,
        case when {{ difference_is_estimable() }} then {{ difference_standard_error() | indent(8) }} end
            as difference_standard_error
    from cells
),

-- 3. The completeness of a row is that of its quarter with most files missing
completeness as (
    select
        estimated.indicator_code,
        estimated.first_counted_quarter,
        estimated.last_counted_quarter,
        files.districts_in_force,
        files.districts_expected,
        sum(files.late) over quarters as late,
        sum(files.open_queries) over quarters as open_queries,
        row_number() over (
            partition by
                estimated.indicator_code, estimated.first_counted_quarter, estimated.last_counted_quarter
            order by files.districts_in_force - files.districts_expected asc, files.reporting_quarter asc
        ) as place
    from (
        select distinct
            indicator_code,
            dataset,
            first_counted_quarter,
            last_counted_quarter
        from estimated
    ) as estimated
    inner join {{ ref('fct_completeness') }} as files
        on
            estimated.dataset = files.dataset
            and files.district_code = 'stockholm'
            and files.district_basis = 'as_submitted'
            and files.reporting_quarter between estimated.first_counted_quarter and estimated.last_counted_quarter
    window quarters as (
        partition by estimated.indicator_code, estimated.first_counted_quarter, estimated.last_counted_quarter
    )
)

select
    estimated.pilot_start_date,
    estimated.indicator_code,
    {%- for dimension in dimensions %}
    {%- for column in dimension %}
    estimated.{{ column }},
    {%- endfor %}
    {%- endfor %}
    estimated.first_counted_quarter,
    estimated.last_counted_quarter,
    {%- for cell, sign in pilot_cells() %}
    {{ rate(cell) | indent(4) }},
    {%- endfor %}
    estimated.difference_in_differences,
    estimated.difference_standard_error,
    estimated.difference_in_differences - 1.959963984540054e0 * estimated.difference_standard_error
        as difference_in_differences_low,
    estimated.difference_in_differences + 1.959963984540054e0 * estimated.difference_standard_error
        as difference_in_differences_high,
    {{ completeness_columns() }}
    {{- private_columns('estimated', keys_of(rate_count_names(rates))) }}
from estimated
left join completeness
    on
        estimated.indicator_code = completeness.indicator_code
        and estimated.first_counted_quarter = completeness.first_counted_quarter
        and estimated.last_counted_quarter = completeness.last_counted_quarter
        and completeness.place = 1
