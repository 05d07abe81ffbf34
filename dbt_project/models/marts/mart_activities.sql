{%- set dimensions = [['activity_type', 'activity_level'], ['theme'], ['audience']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year'] -%}

with quarter_units as (
    {{ reporting_units('aktiviteter') }}
),

reporting_units as (
    {{ units_in_periods('quarter_units') }}
),

quarter_rows as (
    {{ rows_per_unit('fct_activity') }}
),

unit_rows as (
    {{ in_periods('quarter_rows') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        cast(count(*) as integer) as activities,
        {{ sum_of('participant_count') }} as participants
    from unit_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ zero_filled(keys, dimensions, ['activities', 'participants']) }}

select
    zero_filled.district_code,
    bases.district_basis,
    {{ period_columns('zero_filled', dimensions) }},
    'handelse' as cohort_basis,
    {{ dimension_columns('zero_filled', dimensions) }},
    zero_filled.activities,
    zero_filled.participants,
    -- counts of the quarter itself: they do not change later
    {{ is_cohort_complete('zero_filled') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_periods('zero_filled', dimensions) }}
{{ join_completeness('zero_filled', 'aktiviteter') }}
