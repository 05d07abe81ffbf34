select
    groups.group_key || '|' || groups.reporting_quarter as group_quarter_key,
    groups.group_key,
    groups.reported_district_code as district_code,
    groups.reporting_quarter,
    coalesce(interventions.category, 'okand') as intervention_category,
    coalesce(groups.intervention_code, 'okand') as intervention_code,
    coalesce(groups.target_group, 'okand') as target_group,
    {{ directed_at('groups.directed_at') }} as directed_at,
    coalesce(groups.group_status, 'okand') as group_status,
    coalesce(groups.seat_count, 0) as seat_count,
    coalesce(groups.registered_count, 0) as registered_count,
    coalesce(groups.queue_count, 0) as queue_count,
    -- a seat is free while the group has not begun, and the group's own queue has the first claim
    case
        when groups.group_status = 'planerad'
            then greatest(
                coalesce(groups.seat_count, 0) - coalesce(groups.registered_count, 0) - coalesce(groups.queue_count, 0),
                0
            )
        else 0
    end as free_seat_count,
    coalesce(groups.is_open_to_others, false) as is_open_to_others,
    groups.planned_start_date
from {{ ref('int_groups__reported') }} as groups
left join {{ ref('interventions') }} as interventions
    on groups.intervention_code = interventions.intervention_code
