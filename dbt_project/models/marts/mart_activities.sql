{%- set dimensions = [['activity_type', 'activity_level'], ['theme'], ['audience']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}

with reporting_units as (
    {{ reporting_units('aktiviteter') }}
),

unit_rows as (
    {{ rows_per_unit('fct_activity') }}
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
    zero_filled.reporting_quarter,
    'handelse' as cohort_basis,
    {{ dimension_columns('zero_filled', dimensions) }},
    zero_filled.activities,
    zero_filled.participants,
    -- counts of the quarter itself: they do not change later
    true as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_completeness('zero_filled', 'aktiviteter') }}
