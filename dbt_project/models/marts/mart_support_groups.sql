{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year'] -%}
{%- set dimensions = [['directed_at']] -%}
{%- set datasets = ['grupper', 'utbud', 'rutiner'] -%}
{#- what counts persons; groups, districts and routines are published exactly -#}
{%- set persons = ['children', 'girls', 'boys'] + rate_count_names(['social_services_rate']) -%}

with group_rows as (
    {{ rows_per_unit('fct_group') }}
),

-- 1. Groups: what happened to them (started, ended, cancelled), in the quarter when it happened
quarter_events as (
    {%- for event, quarter, condition in [
        ('started', 'started_quarter', 'is_started'),
        ('ended', 'ended_quarter', 'is_ended'),
        ('cancelled', 'cancelled_quarter', 'is_cancelled'),
    ] %}
    select
        group_rows.*,
        '{{ event }}' as event_name,
        group_rows.{{ quarter }} as reporting_quarter,
        covered.district_code is not null as is_covered,
        -- a missing file can still come; before the unit's first file none is expected
        (group_rows.is_ripening and '{{ event }}' = 'started')
        or (covered.district_code is null and group_rows.{{ quarter }} >= group_rows.first_known_quarter)
            as can_change
    from group_rows
    left join {{ ref('fct_quarter_covered') }} as covered
        on
            group_rows.reporting_code = covered.district_code
            and group_rows.{{ quarter }} = covered.reporting_quarter
            and covered.dataset = 'grupper'
    where
        group_rows.{{ condition }}
        and group_rows.{{ quarter }} is not null
        and group_rows.directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

events as (
    {{ in_periods('quarter_events') }}
),

-- 2. The units and quarters that have a row: those with any of the three files, and those whose file of groups is
-- missing but in which, by a later file, something happened to a group
sources as (
    {%- for dataset in datasets %}
    select
        files.*,
        '{{ dataset }}' as dataset,
        true as is_known
    from (
        {{ reporting_units(dataset) | indent(8) }}
    ) as files

    union all
    {% endfor %}
    select distinct
        district_code,
        counts_in_basis,
        reporting_quarter,
        'events' as dataset,
        is_covered as is_known
    from quarter_events
),

sources_in_periods as (
    {{ in_periods('sources') }}
),

reporting_units as (
    select
        sources.district_code,
        sources.counts_in_basis,
        sources.reporting_quarter,
        sources.is_year,
        directions.directed_at,
        bool_or(sources.dataset in ('grupper', 'events')) as has_groups,
        -- what is planned, running or offered in a year is so at the end of its last quarter
        bool_or(sources.dataset = 'grupper' and sources.is_last_quarter) as has_group_file,
        bool_or(sources.dataset = 'utbud' and sources.is_last_quarter) as has_supply_file,
        not bool_or(sources.is_known) as is_survivors_only
    from sources_in_periods as sources
    cross join (
        values ('alla'), ('missbruk'), ('psykisk_funktionsnedsattning'), ('vald')
    ) as directions (directed_at)
    group by
        sources.district_code,
        sources.counts_in_basis,
        sources.reporting_quarter,
        sources.is_year,
        directions.directed_at
),

-- 3. The counts of each of these sources
group_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ count_where("event_name = 'started'") }} as groups_started,
        {{ count_where("event_name = 'ended'") }} as groups_ended,
        {{ count_where("event_name = 'cancelled'") }} as groups_cancelled,
        {{ sum_with_key('girls', 'girl_count', "event_name = 'started'") | indent(8) }},
        {{ sum_with_key('boys', 'boy_count', "event_name = 'started'") | indent(8) }},
        {{ sum_with_key('children', 'child_count', "event_name = 'started'") | indent(8) }},
        -- of the groups that report how their participants came; survivors (a quarter without a file) have no rate
        {{ sum_with_key('social_services_rate_numerator', 'social_services_count',
            "event_name = 'started' and is_covered") | indent(8) }},
        {{ sum_with_key('social_services_rate_denominator', 'participant_count',
            "event_name = 'started' and is_covered and social_services_count is not null") | indent(8) }},
        cast(count(distinct group_key) filter (where is_lost) as integer) as lost,
        bool_or(can_change) as is_ripening
    from events
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

group_quarters as (
    {{ rows_per_unit('fct_group_quarter') }}
),

group_quarter_rows as (
    {{ in_periods('group_quarters', stock='true') }}
),

group_quarter_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ count_where("group_status = 'planerad'") }} as groups_planned,
        {{ count_where("group_status = 'startad'") }} as groups_running
    from group_quarter_rows
    where directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

supply_quarters as (
    {{ rows_per_unit('fct_supply') }}
),

supply_rows as (
    {{ in_periods('supply_quarters', stock='true') }}
),

offers as (
    select
        supply_rows.*,
        supply_rows.supply_status = 'erbjuds' as is_offered
    from supply_rows
    inner join {{ ref('dim_district') }} as districts
        on supply_rows.reporting_code = districts.district_code and districts.kind = 'district'
    where
        supply_rows.directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
        and supply_rows.intervention_category = 'barngrupp'
        and supply_rows.supply_status in ('erbjuds', 'planeras')
),

supply_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        cast(count(distinct reporting_code) filter (where is_offered) as integer) as districts_offering,
        cast(count(distinct reporting_code) - count(distinct reporting_code) filter (where is_offered) as integer)
            as districts_planning
    from offers
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

routine_quarters as (
    {{ rows_per_unit('fct_routine') }}
),

routine_rows as (
    {{ in_periods('routine_quarters', stock='true') }}
),

routine_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ rate_counts('routine_rate', "routine_status = 'finns'", 'true') | indent(8) }}
    from routine_rows
    where directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

-- 4. The sources side by side: a count is 0 where its file has none, and null where its file is missing
zero_filled as (
    select
        reporting_units.*,
        {%- for measure in ['groups_started', 'groups_ended', 'groups_cancelled', 'children', 'girls', 'boys'] %}
        case when reporting_units.has_groups then coalesce(group_cells.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        {%- for measure in ['groups_planned', 'groups_running'] %}
        case when reporting_units.has_group_file then coalesce(group_quarter_cells.{{ measure }}, 0) end
            as {{ measure }},
        {%- endfor %}
        {%- for measure in ['districts_offering', 'districts_planning'] %}
        case when reporting_units.has_supply_file then coalesce(supply_cells.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        {%- for part in ['numerator', 'denominator'] %}
        coalesce(group_cells.social_services_rate_{{ part }}, 0) as social_services_rate_{{ part }},
        coalesce(routine_cells.routine_rate_{{ part }}, 0) as routine_rate_{{ part }},
        {%- endfor %}
        {%- for key in keys_of(persons) %}
        coalesce(group_cells.{{ key }}, 0) as {{ key }},
        {%- endfor %}
        coalesce(group_cells.lost, 0) as lost,
        bool_or(coalesce(group_cells.is_ripening, false)) over (
            partition by
                reporting_units.district_code,
                reporting_units.counts_in_basis,
                reporting_units.reporting_quarter,
                reporting_units.is_year
        ) as is_ripening
    from reporting_units
    left join group_cells
        on
            reporting_units.district_code = group_cells.district_code
            and reporting_units.counts_in_basis = group_cells.counts_in_basis
            and reporting_units.reporting_quarter = group_cells.reporting_quarter
            and reporting_units.is_year = group_cells.is_year
            and reporting_units.directed_at = group_cells.directed_at
    left join group_quarter_cells
        on
            reporting_units.district_code = group_quarter_cells.district_code
            and reporting_units.counts_in_basis = group_quarter_cells.counts_in_basis
            and reporting_units.reporting_quarter = group_quarter_cells.reporting_quarter
            and reporting_units.is_year = group_quarter_cells.is_year
            and reporting_units.directed_at = group_quarter_cells.directed_at
    left join supply_cells
        on
            reporting_units.district_code = supply_cells.district_code
            and reporting_units.counts_in_basis = supply_cells.counts_in_basis
            and reporting_units.reporting_quarter = supply_cells.reporting_quarter
            and reporting_units.is_year = supply_cells.is_year
            and reporting_units.directed_at = supply_cells.directed_at
    left join routine_cells
        on
            reporting_units.district_code = routine_cells.district_code
            and reporting_units.counts_in_basis = routine_cells.counts_in_basis
            and reporting_units.reporting_quarter = routine_cells.reporting_quarter
            and reporting_units.is_year = routine_cells.is_year
            and reporting_units.directed_at = routine_cells.directed_at
)

select
    zero_filled.district_code,
    bases.district_basis,
    {{ period_columns('zero_filled', dimensions) }},
    'handelse' as cohort_basis,
    zero_filled.directed_at,
    zero_filled.districts_offering,
    zero_filled.districts_planning,
    zero_filled.groups_planned,
    zero_filled.groups_running,
    zero_filled.groups_started,
    zero_filled.groups_ended,
    zero_filled.groups_cancelled,
    zero_filled.children,
    zero_filled.girls,
    zero_filled.boys,
    {{ rate('social_services_rate') | indent(4) }},
    {{ rate('routine_rate') | indent(4) }},
    {{ is_cohort_complete('zero_filled', 'not zero_filled.is_ripening') }} as is_cohort_complete,
    zero_filled.is_survivors_only,
    coalesce(group_files.districts_in_force, 0) as districts_with_groups,
    coalesce(supply_files.districts_in_force, 0) as districts_with_supply,
    coalesce(routine_files.districts_in_force, 0) as districts_with_routines,
    {{ completeness_columns() }},
    zero_filled.lost,
    0 as unlinkable
    {{- private_columns('zero_filled', keys_of(persons)) }}
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_periods('zero_filled', dimensions) }}
{%- for dataset, alias in [('grupper', 'group_files'), ('utbud', 'supply_files'), ('rutiner', 'routine_files')] %}
left join {{ ref('fct_completeness') }} as {{ alias }}
    on
        zero_filled.district_code = {{ alias }}.district_code
        and bases.district_basis = {{ alias }}.district_basis
        and zero_filled.reporting_quarter = {{ alias }}.reporting_quarter
        and zero_filled.is_year = {{ alias }}.is_year
        and {{ alias }}.dataset = '{{ dataset }}'
{%- endfor %}
{{ join_mart_completeness('zero_filled', 'mart_support_groups') }}
