{%- set dimensions = [['dataset']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}

-- cases and episodes that were lost, by the last file that held them
with last_rows as (
    select
        last_district_code as district_code,
        last_reporting_quarter as reporting_quarter,
        'arenden' as dataset,
        is_lost
    from {{ ref('fct_case') }}

    union all

    select
        last_district_code as district_code,
        last_reporting_quarter as reporting_quarter,
        'oppenvard' as dataset,
        is_lost
    from {{ ref('fct_outpatient_episode') }}
),

last_seen as (
    select
        district_code,
        reporting_quarter,
        dataset,
        {{ count_where('is_lost') }} as lost
    from last_rows
    group by district_code, reporting_quarter, dataset
),

unit_rows as (
    select
        {{ star_except('status', ['district_code']) }},
        membership.counts_in_code as district_code,
        membership.counts_in_basis,
        status.district_code as reporting_code,
        coalesce(last_seen.lost, 0) as lost,
        -- a district is in force when all its expected datasets are
        bool_and(status.is_in_force or not status.is_expected) over (
            partition by
                membership.counts_in_code,
                membership.counts_in_basis,
                status.district_code,
                status.reporting_quarter
        ) as is_whole_district_in_force
    from {{ ref('fct_reporting_status') }} as status
    inner join {{ ref('dim_district_membership') }} as membership
        on status.district_code = membership.district_code
    left join last_seen
        on
            status.district_code = last_seen.district_code
            and status.reporting_quarter = last_seen.reporting_quarter
            and status.dataset = last_seen.dataset
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        case
            when count(*) = 1 then min(state)
            when not bool_or(is_expected) then 'frivillig'
            when bool_and(is_in_force or not is_expected) then 'i_kraft'
            when bool_or(is_in_force) then 'delvis'
            when bool_or(state = 'avvisad') then 'avvisad'
            when bool_or(state = 'vantas') then 'vantas'
            else 'saknas'
        end as state,
        -- a version belongs to one file: several files have none in common
        case when count(*) = 1 then min(version) end as version,
        -- false if a due file is missing; null while a file is still awaited
        case
            when bool_or(is_expected and not is_in_force and deadline_date < {{ clock_date() }}) then false
            when not bool_or(is_expected and not is_in_force) then bool_and(is_on_time) filter (where is_in_force)
        end as is_on_time,
        min(deadline_date) as deadline_date,
        {{ sum_of('row_count') }} as row_count,
        {{ sum_of('error_count') }} as error_count,
        {{ sum_of('attempts') }} as attempts,
        {{ sum_of('open_query_count') }} as open_queries,
        {{ count_where('is_expected') }} as files_expected,
        {{ count_where('is_expected and is_in_force') }} as files_in_force,
        {{ count_where('is_expected and is_in_force and is_on_time') }} as files_on_time,
        {{ count_where('is_in_force and not is_on_time') }} as late,
        cast(count(distinct reporting_code) filter (where is_expected) as integer) as districts_expected,
        cast(count(distinct reporting_code) filter (where is_expected and is_in_force) as integer)
            as districts_with_dataset,
        cast(count(distinct reporting_code) filter (where is_expected and is_whole_district_in_force) as integer)
            as districts_with_all,
        {{ sum_of('lost') }} as lost,
        {{ sum_of('unlinkable_count') }} as unlinkable,
        {{ rate_counts('completeness_rate', 'is_in_force', 'is_expected') | indent(8) }},
        {{ rate_counts('timeliness_rate', 'is_in_force and is_on_time', 'is_expected') | indent(8) }}
    from unit_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
)

select
    cells.district_code,
    bases.district_basis,
    {{ quarter_columns('cells', dimensions) }},
    cells.dataset,
    cells.state,
    cells.version,
    cells.is_on_time,
    cells.deadline_date,
    cells.row_count,
    cells.error_count,
    cells.attempts,
    cells.files_expected,
    cells.files_in_force,
    cells.files_on_time,
    {{ rate('completeness_rate') | indent(4) }},
    {{ rate('timeliness_rate') | indent(4) }},
    case when cells.dataset = 'alla' then cells.districts_with_all else cells.districts_with_dataset end
        as districts_in_force,
    cells.districts_expected,
    cells.late,
    cells.open_queries,
    cells.lost,
    cells.unlinkable
from cells
{{ join_bases('cells') }}
