{%- set dimensions = [['time_of_week']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year'] -%}
{%- set counts = [
    'interviews', 'home_without_placement', 'followed_up_same_day', 'followed_up_within_3_days',
] -%}
{%- set rates = [
    ('home_without_placement_rate', 'home_without_placement', 'interviews'),
    ('same_day_follow_up_rate', 'followed_up_same_day', 'home_without_placement'),
    ('within_3_days_follow_up_rate', 'followed_up_within_3_days', 'home_without_placement'),
] -%}

with quarter_units as (
    {{ reporting_units('skyddsuppfoljning') }}
),

reporting_units as (
    {{ units_in_periods('quarter_units') }}
),

quarter_rows as (
    {{ rows_per_unit('fct_protection_follow_up') }}
),

unit_rows as (
    {{ in_periods('quarter_rows') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ sum_with_key('interviews', 'interview_count') | indent(8) }},
        {{ sum_with_key('home_without_placement', 'home_without_placement_count') | indent(8) }},
        {{ sum_with_key('followed_up_same_day', 'followed_up_same_day_count') | indent(8) }},
        {{ sum_with_key('followed_up_within_3_days', 'followed_up_within_3_days_count') | indent(8) }}
    from unit_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ zero_filled(keys, dimensions, with_keys(counts)) }},

measured as (
    select
        {%- for rate_name, numerator, denominator in rates %}
        {%- for suffix in ['', '__key'] %}
        {{ numerator }}{{ suffix }} as {{ rate_name }}_numerator{{ suffix }},
        {{ denominator }}{{ suffix }} as {{ rate_name }}_denominator{{ suffix }},
        {%- endfor %}
        {%- endfor %}
        *
    from zero_filled
)

select
    measured.district_code,
    bases.district_basis,
    {{ period_columns('measured', dimensions) }},
    'handelse' as cohort_basis,
    measured.time_of_week,
    {%- for count in counts %}
    measured.{{ count }},
    {%- endfor %}
    {%- for rate_name, numerator, denominator in rates %}
    {{ rate(rate_name) | indent(4) }},
    {%- endfor %}
    -- counts of the quarter itself: they do not change later
    {{ is_cohort_complete('measured') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
    {{- private_columns('measured', keys_of(counts + rate_count_names(rates | map('first') | list))) }}
from measured
{{ join_bases('measured') }}
{{ join_periods('measured', dimensions) }}
{{ join_completeness('measured', 'skyddsuppfoljning') }}
