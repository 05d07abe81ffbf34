{%- set dimensions = [
    ['intervention_category', 'intervention_code'],
    ['target_group'],
    ['sex'],
    ['age_band'],
    ['referred_from'],
] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}
{%- set counts = [
    ('started', 'started_count'), ('ongoing', 'ongoing_count'), ('completed', 'completed_count'),
    ('interrupted', 'interrupted_count'), ('sessions', 'session_count'), ('followed_up', 'followed_up_count'),
    ('better', 'better_count'), ('unchanged', 'unchanged_count'), ('worse', 'worse_count'), ('queue', 'queue_count'),
    ('waited_0_7_days', 'waited_0_7_days_count'), ('waited_8_14_days', 'waited_8_14_days_count'),
    ('waited_15_30_days', 'waited_15_30_days_count'), ('waited_31_90_days', 'waited_31_90_days_count'),
    ('waited_over_90_days', 'waited_over_90_days_count'), ('wait_n', 'wait_known_count'),
] -%}

with counted as (
    {{ numbered_in_units(ref('fct_service_intervention'), keys) }}
),

in_force as (
    {{ told_in_force('serviceinsatser') }}
),

found as (
    select distinct
        told_number,
        {{ keys | join(',
        ') }}
    from counted
),

told as (
    select
        told_number,
        {{ keys | join(',
        ') }}
    from found

    union all

    -- a file without rows says that nothing was done: its unit and quarter have one row, of zeros
    select
        -row_number() over () as told_number,
        in_force.district_code,
        in_force.counts_in_basis,
        in_force.reporting_quarter
    from in_force
    left join found
        on
            in_force.district_code = found.district_code
            and in_force.counts_in_basis = found.counts_in_basis
            and in_force.reporting_quarter = found.reporting_quarter
    where found.told_number is null
),

cells as (
    select
        told_number,
        {{ cut_columns(dimensions) | indent(8) }},
        {%- for measure, count_column in counts %}
        {{ sum_of(count_column) }} as {{ measure }},
        {%- endfor %}
        {{ sum_of('wait_summed_count') }} as wait_summed_n,
        {{ sum_of('wait_sum_days') }} as wait_sum_days,
        {{ sum_of('completed_count') }} as completion_rate_numerator,
        {{ sum_of('completed_count + interrupted_count') }} as completion_rate_denominator,
        {{ sum_of('followed_up_count') }} as follow_up_rate_numerator,
        {{ sum_of('completed_count + interrupted_count') }} as follow_up_rate_denominator
    from counted
    group by {{ grouping_sets(['told_number'], dimensions) | indent(4) }}

    union all

    select
        told_number,
        {%- for column in dimensions | sum(start=[]) %}
        'alla' as {{ column }},
        {%- endfor %}
        {%- for measure, count_column in counts %}
        0 as {{ measure }},
        {%- endfor %}
        0 as wait_summed_n,
        0 as wait_sum_days,
        0 as completion_rate_numerator,
        0 as completion_rate_denominator,
        0 as follow_up_rate_numerator,
        0 as follow_up_rate_denominator
    from told
    where told_number < 0
)

select
    told.district_code,
    bases.district_basis,
    told.reporting_quarter,
    'handelse' as cohort_basis,
    {{ dimensions_of('cells', dimensions) }},
    {%- for measure, count_column in counts %}
    cells.{{ measure }},
    {%- endfor %}
    case when cells.wait_summed_n > 0 then cells.wait_sum_days / cast(cells.wait_summed_n as double) end
        as wait_mean_days,
    {{ grouped_median_days('cells.wait_n') | indent(4) }} as wait_grouped_median_days,
    {{ grouped_median_band('cells.wait_n') | indent(4) }} as wait_grouped_median_band,
    {{ rate('completion_rate') | indent(4) }},
    {{ rate('follow_up_rate') | indent(4) }},
    -- counts of the quarter itself: nothing is left to ripen
    true as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from cells
{{ join_told() }}
{{ join_completeness('serviceinsatser') }}
