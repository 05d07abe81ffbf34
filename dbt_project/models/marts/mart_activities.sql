{%- set dimensions = [['activity_type', 'activity_level'], ['theme'], ['audience']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}

with told as (
    {{ told_in_force('aktiviteter') }}
),

counted as (
    {{ counted_in_units('fct_activity') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        cast(count(*) as integer) as activities,
        {{ sum_of('participant_count') }} as participants
    from counted
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ filled(keys, dimensions, ['activities', 'participants']) }}

select
    told.district_code,
    bases.district_basis,
    told.reporting_quarter,
    'handelse' as cohort_basis,
    {{ dimensions_of('told', dimensions) }},
    told.activities,
    told.participants,
    -- counts of the quarter itself: nothing is left to ripen
    true as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from filled as told
{{ join_bases() }}
{{ join_completeness('aktiviteter') }}
