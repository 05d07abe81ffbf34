{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}
{%- set dimensions = [['directed_at']] -%}
{%- set sides = ['grupper', 'utbud', 'rutiner'] -%}

with counted_groups as (
    {{ counted_in_units('fct_group') }}
),

-- what happened to a group, in the quarter when it did
events as (
    {%- for event, quarter, condition in [
        ('started', 'started_quarter', 'is_started'),
        ('ended', 'ended_quarter', 'is_ended'),
        ('cancelled', 'cancelled_quarter', 'is_cancelled'),
    ] %}
    select
        counted_groups.*,
        '{{ event }}' as event_name,
        counted_groups.{{ quarter }} as reporting_quarter,
        covered.district_code is not null as is_covered,
        -- a file that is missing can still come; from before the first one none is expected
        (counted_groups.is_ripening and '{{ event }}' = 'started')
        or (covered.district_code is null and counted_groups.{{ quarter }} >= counted_groups.first_known_quarter)
            as can_change
    from counted_groups
    left join {{ ref('fct_quarter_covered') }} as covered
        on
            counted_groups.reporting_code = covered.district_code
            and counted_groups.{{ quarter }} = covered.reporting_quarter
            and covered.dataset = 'grupper'
    where
        counted_groups.{{ condition }}
        and counted_groups.{{ quarter }} is not null
        and counted_groups.directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- a row for each unit and quarter that any of the three files tells of, or a later file of a group's start
told_by as (
    {%- for dataset in sides %}
    select
        files.*,
        '{{ dataset }}' as dataset,
        true as is_known
    from (
        {{ told_in_force(dataset) | indent(8) }}
    ) as files

    union all
    {% endfor %}
    select distinct
        {{ keys | join(',\n        ') }},
        'events' as dataset,
        is_covered as is_known
    from events
),

told as (
    select
        told_by.district_code,
        told_by.counts_in_basis,
        told_by.reporting_quarter,
        directions.directed_at,
        bool_or(told_by.dataset in ('grupper', 'events')) as has_groups,
        bool_or(told_by.dataset = 'grupper') as has_standing,
        bool_or(told_by.dataset = 'utbud') as has_supply,
        not bool_or(told_by.is_known) as is_survivors_only
    from told_by
    cross join (
        values ('alla'), ('missbruk'), ('psykisk_funktionsnedsattning'), ('vald')
    ) as directions (directed_at)
    group by told_by.district_code, told_by.counts_in_basis, told_by.reporting_quarter, directions.directed_at
),

group_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        {{ count_where("event_name = 'started'") }} as groups_started,
        {{ count_where("event_name = 'ended'") }} as groups_ended,
        {{ count_where("event_name = 'cancelled'") }} as groups_cancelled,
        {{ sum_of('girl_count', "event_name = 'started'") }} as girls,
        {{ sum_of('boy_count', "event_name = 'started'") }} as boys,
        {{ sum_of('child_count', "event_name = 'started'") }} as children,
        -- of the groups that tell how their participants came; without a file of the quarter only those that later
        -- files still hold are known
        {{ sum_of('social_services_count', "event_name = 'started' and is_covered") }}
            as social_services_rate_numerator,
        {{ sum_of('participant_count', "event_name = 'started' and is_covered and social_services_count is not null") }}
            as social_services_rate_denominator,
        cast(count(distinct group_key) filter (where is_lost) as integer) as lost,
        bool_or(can_change) as is_ripening
    from events
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

counted_standing as (
    {{ counted_in_units('fct_group_quarter') }}
),

standing_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        {{ count_where("group_status = 'planerad'") }} as groups_planned,
        {{ count_where("group_status = 'startad'") }} as groups_running
    from counted_standing
    where directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

counted_supply as (
    {{ counted_in_units('fct_supply') }}
),

offers as (
    select
        counted_supply.*,
        counted_supply.supply_status = 'erbjuds' as is_offered
    from counted_supply
    inner join {{ ref('dim_district') }} as districts
        on counted_supply.reporting_code = districts.district_code and districts.kind = 'district'
    where
        counted_supply.directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
        and counted_supply.intervention_category = 'barngrupp'
        and counted_supply.supply_status in ('erbjuds', 'planeras')
),

supply_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        cast(count(distinct reporting_code) filter (where is_offered) as integer) as districts_offering,
        cast(count(distinct reporting_code) - count(distinct reporting_code) filter (where is_offered) as integer)
            as districts_planning
    from offers
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

counted_routines as (
    {{ counted_in_units('fct_routine') }}
),

routine_cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        {{ rate_counts('routine_rate', "routine_status = 'finns'", 'true') | indent(8) }}
    from counted_routines
    where directed_at in ('missbruk', 'psykisk_funktionsnedsattning', 'vald')
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

filled as (
    select
        told.*,
        {%- for measure in ['groups_started', 'groups_ended', 'groups_cancelled', 'children', 'girls', 'boys'] %}
        case when told.has_groups then coalesce(group_cells.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        {%- for measure in ['groups_planned', 'groups_running'] %}
        case when told.has_standing then coalesce(standing_cells.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        {%- for measure in ['districts_offering', 'districts_planning'] %}
        case when told.has_supply then coalesce(supply_cells.{{ measure }}, 0) end as {{ measure }},
        {%- endfor %}
        {%- for part in ['numerator', 'denominator'] %}
        coalesce(group_cells.social_services_rate_{{ part }}, 0) as social_services_rate_{{ part }},
        coalesce(routine_cells.routine_rate_{{ part }}, 0) as routine_rate_{{ part }},
        {%- endfor %}
        coalesce(group_cells.lost, 0) as lost,
        bool_or(coalesce(group_cells.is_ripening, false)) over (
            partition by told.district_code, told.counts_in_basis, told.reporting_quarter
        ) as is_ripening
    from told
    left join group_cells
        on
            told.district_code = group_cells.district_code
            and told.counts_in_basis = group_cells.counts_in_basis
            and told.reporting_quarter = group_cells.reporting_quarter
            and told.directed_at = group_cells.directed_at
    left join standing_cells
        on
            told.district_code = standing_cells.district_code
            and told.counts_in_basis = standing_cells.counts_in_basis
            and told.reporting_quarter = standing_cells.reporting_quarter
            and told.directed_at = standing_cells.directed_at
    left join supply_cells
        on
            told.district_code = supply_cells.district_code
            and told.counts_in_basis = supply_cells.counts_in_basis
            and told.reporting_quarter = supply_cells.reporting_quarter
            and told.directed_at = supply_cells.directed_at
    left join routine_cells
        on
            told.district_code = routine_cells.district_code
            and told.counts_in_basis = routine_cells.counts_in_basis
            and told.reporting_quarter = routine_cells.reporting_quarter
            and told.directed_at = routine_cells.directed_at
)

select
    told.district_code,
    bases.district_basis,
    told.reporting_quarter,
    'handelse' as cohort_basis,
    told.directed_at,
    told.districts_offering,
    told.districts_planning,
    told.groups_planned,
    told.groups_running,
    told.groups_started,
    told.groups_ended,
    told.groups_cancelled,
    told.children,
    told.girls,
    told.boys,
    {{ rate('social_services_rate') | indent(4) }},
    {{ rate('routine_rate') | indent(4) }},
    not told.is_ripening as is_cohort_complete,
    told.is_survivors_only,
    coalesce(groups_told.districts_in_force, 0) as districts_with_groups,
    coalesce(supply_told.districts_in_force, 0) as districts_with_supply,
    coalesce(routines_told.districts_in_force, 0) as districts_with_routines,
    {{ completeness_columns() }},
    told.lost,
    0 as unlinkable
from filled as told
{{ join_bases() }}
{%- for dataset, alias in [('grupper', 'groups_told'), ('utbud', 'supply_told'), ('rutiner', 'routines_told')] %}
left join {{ ref('fct_completeness') }} as {{ alias }}
    on
        told.district_code = {{ alias }}.district_code
        and bases.district_basis = {{ alias }}.district_basis
        and told.reporting_quarter = {{ alias }}.reporting_quarter
        and {{ alias }}.dataset = '{{ dataset }}'
{%- endfor %}
{{ join_joint_completeness('mart_support_groups') }}
