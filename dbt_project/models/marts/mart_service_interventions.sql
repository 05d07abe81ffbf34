{%- set dimensions = [
    ['intervention_category', 'intervention_code'],
    ['target_group'],
    ['sex'],
    ['age_band'],
    ['referred_from'],
    ['legal_ground'],
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
{%- set summed = counts + [('wait__summed_n', 'wait_summed_count'), ('wait__sum', 'wait_sum_days')] -%}
{%- set stocks = ['ongoing', 'queue'] -%}
{%- set names = summed | map('first') | list -%}
{%- set largest = ['sessions__largest', 'sessions__second', 'wait__largest', 'wait__second'] -%}
{%- set rates = {
    'completion_rate': ('completed_count', 'completed_count + interrupted_count'),
    'follow_up_rate': ('followed_up_count', 'completed_count + interrupted_count'),
} -%}

with unit_rows as (
    {{ numbered_rows_per_unit(ref('fct_service_intervention'), keys) }}
),

-- the groups of the mart: those with rows, and those whose file is empty
reporting_units as (
    {{ reporting_units('serviceinsatser') }}
),

filled_groups as (
    select distinct
        group_number,
        {{ keys | join(',\n        ') }}
    from unit_rows
),

quarter_groups as (
    select
        group_number,
        {{ keys | join(',\n        ') }}
    from filled_groups

    union all

    -- an empty file says that nothing was done: its unit and quarter get one row, of zeros, under a negative number
    select
        -{{ row_number_by([
            'reporting_units.district_code', 'reporting_units.counts_in_basis', 'reporting_units.reporting_quarter',
        ]) }} as group_number,
        reporting_units.district_code,
        reporting_units.counts_in_basis,
        reporting_units.reporting_quarter
    from reporting_units
    left join filled_groups
        on
            reporting_units.district_code = filled_groups.district_code
            and reporting_units.counts_in_basis = filled_groups.counts_in_basis
            and reporting_units.reporting_quarter = filled_groups.reporting_quarter
    where filled_groups.group_number is null
),

{{ groups_with_years(keys, ripening=[]) }},

quarter_cells as (
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        {%- for measure, count_column in summed %}
        {{ sum_with_key(measure, count_column) | indent(8) }},
        {%- endfor %}
        {%- for rate_name, parts in rates.items() %}
        {{ sum_with_key(rate_name ~ '_numerator', parts[0]) | indent(8) }},
        {{ sum_with_key(rate_name ~ '_denominator', parts[1]) | indent(8) }},
        {%- endfor %}
        {{ largest_two('sessions', 'session_count') | indent(8) }},
        {{ largest_two('wait', 'wait_sum_days') | indent(8) }}
    from unit_rows
    group by {{ grouping_sets(['group_number'], dimensions) | indent(4) }}

    union all

    select
        group_number,
        {%- for column in dimensions | sum(start=[]) %}
        'alla' as {{ column }},
        {%- endfor %}
        {%- for count in names + rate_count_names(rates) %}
        0 as {{ count }},
        {{ as_key('0') }} as {{ count }}__key,
        {%- endfor %}
        0 as sessions__largest,
        0 as sessions__second,
        0 as wait__largest,
        0 as wait__second
    from quarter_groups
    where group_number < 0
),

{{ cells_with_years(
    'cells', 'quarter_cells', dimensions, flows=names | reject('in', stocks) | list + rate_count_names(rates),
    stocks=stocks, largest=['sessions', 'wait'], survivors=false
) }}

select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions, 'cells') }},
    'handelse' as cohort_basis,
    {{ dimension_columns('cells', dimensions) }},
    {%- for measure, count_column in counts %}
    cells.{{ measure }},
    {%- endfor %}
    {{ mean_days('cells.wait__sum', 'cells.wait__summed_n') }} as wait_mean_days,
    {{ shown_grouped_median_days('cells.wait_n') | indent(4) }} as wait_grouped_median_days,
    {{ grouped_median_band('cells.wait_n') | indent(4) }} as wait_grouped_median_band,
    {{ rate('completion_rate') | indent(4) }},
    {{ rate('follow_up_rate') | indent(4) }},
    -- counts of the quarter itself: they do not change later
    {{ is_cohort_complete('groups') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
    {{- private_columns('cells', keys_of(names[:-2] + rate_count_names(rates)) + with_keys(names[-2:]) + largest) }}
from cells
{{ join_groups(dimensions) }}
{{ join_completeness('groups', 'serviceinsatser') }}
where {{ has_ground('cells', 'groups') }}
