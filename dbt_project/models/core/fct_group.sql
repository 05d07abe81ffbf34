with groups as (
    select
        *,
        coalesce(girl_count, 0) + coalesce(boy_count, 0) as child_count,
        coalesce(mother_count, 0) + coalesce(father_count, 0) as parent_count,
        coalesce(group_status in ('startad', 'avslutad'), false) as is_started
    from {{ ref('int_groups__in_force') }}
),

described as (
    select
        -- ids
        groups.group_key,
        groups.district_code,
        groups.last_district_code,
        groups.submission_id,
        groups.source_file_sha256,
        groups.source_row_number,

        -- quarters
        groups.first_reporting_quarter,
        groups.last_reporting_quarter,
        groups.first_known_quarter,
        groups.newest_known_quarter,
        {{ quarter_of('groups.planned_start_date') }} as planned_quarter,
        case when groups.is_started then {{ quarter_of('groups.actual_start_date') }} end as started_quarter,
        groups.ended_quarter,
        groups.cancelled_quarter,

        -- strings
        coalesce(interventions.category, 'okand') as intervention_category,
        coalesce(groups.intervention_code, 'okand') as intervention_code,
        coalesce(groups.target_group, 'okand') as target_group,
        {{ directed_at('groups.directed_at') }} as directed_at,
        coalesce(groups.group_status, 'okand') as group_status,
        groups.cancelled_reason,

        -- numerics
        coalesce(groups.seat_count, 0) as seat_count,
        coalesce(groups.registered_count, 0) as registered_count,
        coalesce(groups.girl_count, 0) as girl_count,
        coalesce(groups.boy_count, 0) as boy_count,
        coalesce(groups.mother_count, 0) as mother_count,
        coalesce(groups.father_count, 0) as father_count,
        groups.child_count,
        groups.parent_count,
        groups.child_count + groups.parent_count as participant_count,
        groups.social_services_count,
        coalesce(groups.completed_count, 0) as completed_count,
        groups.wait_sum_days,

        -- booleans
        groups.is_started,
        coalesce(groups.group_status = 'avslutad', false) as is_ended,
        coalesce(groups.group_status = 'installd', false) as is_cancelled,
        coalesce(groups.is_open_to_others, false) as is_open_to_others,
        groups.is_open,
        groups.is_lost,
        groups.is_ripening,

        -- dates
        groups.planned_start_date,
        groups.actual_start_date,
        groups.submitted_at
    from groups
    left join {{ ref('interventions') }} as interventions
        on groups.intervention_code = interventions.intervention_code
)

select
    described.*,

    -- keys of what is counted
    {{ record_key(['group_key', 'intervention_category', 'intervention_code', 'directed_at']) }} as record_key
from described
