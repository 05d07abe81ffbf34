select
    reported.group_key || '|' || reported.reporting_quarter as group_quarter_key,
    reported.group_key,
    reported.reported_district_code as district_code,
    reported.reporting_quarter,
    coalesce(interventions.category, 'okand') as intervention_category,
    coalesce(reported.intervention_code, 'okand') as intervention_code,
    coalesce(reported.target_group, 'okand') as target_group,
    {{ directed_at('reported.directed_at') }} as directed_at,
    coalesce(reported.group_status, 'okand') as group_status,
    coalesce(reported.seat_count, 0) as seat_count,
    coalesce(reported.registered_count, 0) as registered_count,
    coalesce(reported.queue_count, 0) as queue_count,
    -- seats are free only while the group has not begun, and the group's own queue comes first
    case
        when reported.group_status = 'planerad'
            then greatest(
                coalesce(reported.seat_count, 0)
                - coalesce(reported.registered_count, 0)
                - coalesce(reported.queue_count, 0),
                0
            )
        else 0
    end as free_seat_count,
    coalesce(reported.is_open_to_others, false) as is_open_to_others,
    reported.planned_start_date,
    {{ record_key([
        'reported.group_key',
        "coalesce(interventions.category, 'okand')",
        "coalesce(reported.intervention_code, 'okand')",
    ]) }} as record_key
from {{ ref('int_groups__reported') }} as reported
left join {{ ref('interventions') }} as interventions
    on reported.intervention_code = interventions.intervention_code
