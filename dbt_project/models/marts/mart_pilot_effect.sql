{%- set dimensions = [['sex'], ['age_band'], ['socioeconomic']] -%}
{%- set keys = ['pilot_start_date', 'indicator_code'] -%}
{%- set rates = pilot_cells() | map('first') | list -%}
{%- set area_keys = keys + ['area_code', 'is_pilot_area', 'is_after', 'reporting_quarter'] -%}
{%- set breakdown_keys = keys + dimensions | sum(start=[]) -%}

-- 1. Counts of the four goals, of the pilot areas and of the areas that are never pilot areas
with rated_rows as (
    select
        pilot_start_date,
        indicator_code,
        dataset,
        district_code,
        area_code,
        reporting_quarter,
        sex,
        age_band,
        socioeconomic,
        is_pilot_area,
        is_after,
        in_scope,
        cell_numerator,
        cell_numerator__key,
        cell_denominator,
        cell_denominator__key
    from {{ ref('fct_pilot_goal') }}
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
            and files.district_code = {{ whole_code() }}
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
