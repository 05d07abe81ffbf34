{%- set dimensions = [['clinic'], ['sex'], ['clinic_age_band']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year'] -%}
{%- set counts = [
    ('visits', 'visit_count'), ('new_visitors', 'new_visitor_count'), ('digital_visits', 'digital_visit_count'),
    ('waited_0_7_days', 'waited_0_7_days_count'), ('waited_8_14_days', 'waited_8_14_days_count'),
    ('waited_15_30_days', 'waited_15_30_days_count'), ('waited_31_90_days', 'waited_31_90_days_count'),
    ('waited_over_90_days', 'waited_over_90_days_count'), ('wait_n', 'wait_known_count'),
] -%}
{%- set summed = counts + [
    ('digital_visit_rate_numerator', 'digital_visit_count'), ('digital_visit_rate_denominator', 'visit_count'),
    ('wait__summed_n', 'wait_summed_count'), ('wait__sum', 'wait_sum_days'),
] -%}
{%- set names = summed | map('first') | list -%}
{%- set largest = ['wait__largest', 'wait__second'] -%}

with quarter_units as (
    {{ reporting_units('ungdomsmottagning') }}
),

reporting_units as (
    {{ units_in_periods('quarter_units') }}
),

quarter_rows as (
    {{ rows_per_unit('fct_youth_clinic') }}
),

unit_rows as (
    {{ in_periods('quarter_rows') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        {%- for measure, count_column in summed %}
        {{ sum_with_key(measure, count_column) | indent(8) }},
        {%- endfor %}
        {{ largest_two('wait', 'wait_sum_days') | indent(8) }}
    from unit_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ zero_filled(keys, dimensions, with_keys(names) + largest) }}

select
    zero_filled.district_code,
    bases.district_basis,
    {{ period_columns('zero_filled', dimensions) }},
    'handelse' as cohort_basis,
    zero_filled.clinic,
    zero_filled.sex,
    zero_filled.clinic_age_band,
    {%- for measure, count_column in counts %}
    zero_filled.{{ measure }},
    {%- endfor %}
    {{ mean_days('zero_filled.wait__sum', 'zero_filled.wait__summed_n') }} as wait_mean_days,
    {{ shown_grouped_median_days('zero_filled.wait_n') | indent(4) }} as wait_grouped_median_days,
    {{ grouped_median_band('zero_filled.wait_n') | indent(4) }} as wait_grouped_median_band,
    {{ rate('digital_visit_rate') | indent(4) }},
    -- counts of the quarter itself: they do not change later
    {{ is_cohort_complete('zero_filled') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
    {{- private_columns('zero_filled', keys_of(names[:-2]) + with_keys(names[-2:]) + largest) }}
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_periods('zero_filled', dimensions) }}
{{ join_completeness('zero_filled', 'ungdomsmottagning') }}
