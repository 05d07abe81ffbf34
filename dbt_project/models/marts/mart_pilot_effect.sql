{%- set dimensions = [['sex'], ['age_band'], ['socioeconomic']] -%}
{%- set keys = ['pilot_start_date', 'indicator_code'] -%}
{%- set rates = pilot_cells() | map('first') | list -%}
{%- set area_keys = keys + ['area_code', 'is_pilot_area', 'is_after', 'reporting_quarter'] -%}
{%- set breakdown_keys = keys + dimensions | sum(start=[]) -%}

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

-- 2. The four cells (pilot and line, before and after) in every breakdown
cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        min(reporting_quarter) filter (where cell_denominator > 0) as first_counted_quarter,
        max(reporting_quarter) filter (where cell_denominator > 0) as last_counted_quarter,
        max(reporting_quarter) as newest_quarter,
        min(dataset) as dataset,
        {{ pilot_cell_counts() | indent(8) }}
    from rated_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

-- 3. The same by area: how much its rate changed, and its trend before the start. Areas merge with their district, so
-- an area is its code alone.
area_quarters as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        area_code,
        is_pilot_area,
        is_after,
        {{ quarter_index('reporting_quarter') }} as quarter_number,
        cast(sum(cell_numerator) as double) as numerator,
        cast(sum(cell_denominator) as double) as denominator
    from rated_rows
    where cell_denominator > 0
    group by {{ grouping_sets(area_keys, dimensions) | indent(4) }}
),

area_sums as (
    select
        {{ breakdown_keys | join(',\n        ') }},
        area_code,
        is_pilot_area,
        sum(case when not is_after then numerator end) as before_numerator,
        sum(case when not is_after then denominator end) as before_denominator,
        sum(case when is_after then numerator end) as after_numerator,
        sum(case when is_after then denominator end) as after_denominator,
        count(case when not is_after then 1 end) as quarters_before,
        sum(case when not is_after then denominator * quarter_number end) as quarter_sum,
        sum(case when not is_after then denominator * power(quarter_number, 2) end) as quarter_square_sum,
        sum(case when not is_after then numerator * quarter_number end) as numerator_quarter_sum
    from area_quarters
    group by {{ breakdown_keys | join(', ') }}, area_code, is_pilot_area
),

changes as (
    select
        *,
        after_numerator / after_denominator - before_numerator / before_denominator as figure,
        before_denominator * after_denominator / (before_denominator + after_denominator) as weight
    from area_sums
),

-- a slope by least squares, weighted by cases: it is as sure as its quarters are spread
slopes as (
    select
        *,
        (numerator_quarter_sum - before_numerator * quarter_sum / before_denominator)
        / nullif(quarter_square_sum - quarter_sum * quarter_sum / before_denominator, 0) as figure,
        quarter_square_sum - quarter_sum * quarter_sum / before_denominator as weight
    from area_sums
    where quarters_before >= {{ fewest_trend_quarters() }}
),

{{ compared_by_area('changes', breakdown_keys) }},

{{ compared_by_area('slopes', breakdown_keys) }},

estimated as (
    select
        cells.*,
        coalesce(changes.pilot_areas, 0) as pilot_areas,
        coalesce(changes.line_areas, 0) as line_areas,
        changes.difference as difference_in_differences,
        changes.standard_error as difference_standard_error,
        changes.difference_low as difference_in_differences_low,
        changes.difference_high as difference_in_differences_high,
        slopes.pilot_mean as pilot_trend_before,
        slopes.line_mean as line_trend_before,
        slopes.difference as trend_difference,
        slopes.difference_low as trend_difference_low,
        slopes.difference_high as trend_difference_high,
        case
            when changes.standard_error is null then 'for_fa_omraden'
            when slopes.standard_error is null then 'okand_trend_fore'
            when slopes.difference_low > 0 or slopes.difference_high < 0 then 'olika_trend_fore'
            else 'jamforbar'
        end as comparison_status
    from cells
    left join changes_compared as changes
        on {{ same_keys('cells', 'changes', breakdown_keys) }}
    left join slopes_compared as slopes
        on {{ same_keys('cells', 'slopes', breakdown_keys) }}
),

-- 4. The completeness of a row is that of its quarter with most files missing
completeness as (
    select
        estimated.indicator_code,
        estimated.first_counted_quarter,
        estimated.last_counted_quarter,
        cast(sum(files.quarters_in_force) over quarters as integer) as quarters_in_force,
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
            and not files.is_year
            and files.reporting_quarter between estimated.first_counted_quarter and estimated.last_counted_quarter
    window quarters as (
        partition by estimated.indicator_code, estimated.first_counted_quarter, estimated.last_counted_quarter
    )
)

select
    estimated.pilot_start_date,
    estimated.indicator_code,
    -- all quarters up to the newest are compared: the row is of that quarter's year
    'ar' as period_kind,
    left(max(estimated.newest_quarter) over (), 4) as period,
    {{ cut('estimated', dimensions) }} as cut,
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
    estimated.pilot_areas,
    estimated.line_areas,
    estimated.difference_in_differences,
    estimated.difference_standard_error,
    estimated.difference_in_differences_low,
    estimated.difference_in_differences_high,
    estimated.pilot_trend_before,
    estimated.line_trend_before,
    estimated.trend_difference,
    estimated.trend_difference_low,
    estimated.trend_difference_high,
    estimated.comparison_status,
    {{ completeness_columns() }}
    {{- private_columns('estimated', keys_of(rate_count_names(rates))) }}
from estimated
left join completeness
    on
        estimated.indicator_code = completeness.indicator_code
        and estimated.first_counted_quarter = completeness.first_counted_quarter
        and estimated.last_counted_quarter = completeness.last_counted_quarter
        and completeness.place = 1
