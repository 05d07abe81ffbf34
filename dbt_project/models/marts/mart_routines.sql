{%- set dimensions = [['unit_kind'], ['directed_at']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year'] -%}
{%- set counts = [
    'routines', 'routines_in_place', 'routines_planned', 'routines_missing', 'districts_with_routine',
    'routine_rate_numerator', 'routine_rate_denominator',
    'routine_revised_rate_numerator', 'routine_revised_rate_denominator',
] -%}

with quarter_units as (
    {{ reporting_units('rutiner') }}
),

reporting_units as (
    {{ units_in_periods('quarter_units', stock='true') }}
),

quarter_rows as (
    {{ rows_per_unit('fct_routine') }}
),

-- a year has the state at the end of its last quarter
unit_rows as (
    {{ in_periods('quarter_rows', stock='true') }}
),

routine_rows as (
    select
        unit_rows.*,
        districts.kind = 'district' as is_district
    from unit_rows
    inner join {{ ref('dim_district') }} as districts
        on unit_rows.reporting_code = districts.district_code
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        cast(count(*) as integer) as routines,
        {{ count_where("routine_status = 'finns'") }} as routines_in_place,
        {{ count_where("routine_status = 'planeras'") }} as routines_planned,
        {{ count_where("routine_status = 'saknas'") }} as routines_missing,
        cast(count(distinct reporting_code) filter (where is_district and routine_status = 'finns') as integer)
            as districts_with_routine,
        {{ rate_counts('routine_rate', "routine_status = 'finns'", 'true') | indent(8) }},
        -- of the routines in place, with or without a date of revision
        {{ rate_counts('routine_revised_rate', 'coalesce(routine_age_days <= 365, false)',
            "routine_status = 'finns'") | indent(8) }}
    from routine_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ zero_filled(keys, dimensions, counts) }}

select
    zero_filled.district_code,
    bases.district_basis,
    {{ period_columns('zero_filled', dimensions) }},
    'handelse' as cohort_basis,
    zero_filled.unit_kind,
    zero_filled.directed_at,
    zero_filled.routines,
    zero_filled.routines_in_place,
    zero_filled.routines_planned,
    zero_filled.routines_missing,
    zero_filled.districts_with_routine,
    {{ rate('routine_rate') | indent(4) }},
    {{ rate('routine_revised_rate') | indent(4) }},
    -- the state at the end of the quarter: it does not change later
    {{ is_cohort_complete('zero_filled') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_periods('zero_filled', dimensions, is_state=true) }}
{{ join_completeness('zero_filled', 'rutiner') }}
