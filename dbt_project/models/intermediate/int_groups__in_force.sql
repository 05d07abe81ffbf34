with reported as (
    select
        *,
        -- the quarter of the first file that reports the group as ended or cancelled
        min(reporting_quarter) filter (where group_status = 'avslutad')
            over (partition by group_key) as first_ended_quarter,
        min(reporting_quarter) filter (where group_status = 'installd')
            over (partition by group_key) as first_cancelled_quarter
    from {{ ref('int_groups__reported') }}
),

followed as (
    select
        reported.*,
        dates.first_quarter as first_known_quarter,
        dates.newest_quarter as newest_known_quarter,
        coalesce(reported.group_status in ('planerad', 'startad'), true) as is_open,
        reported.last_reporting_quarter < dates.newest_quarter as is_missing_from_newer
    from reported
    inner join {{ ref('int_district_datasets__dated') }} as dates
        on reported.district_code = dates.district_code and dates.dataset = 'grupper'
    where reported.is_newest
)

select
    -- ids
    group_key,
    district_code,
    reported_district_code as last_district_code,
    submission_id,
    source_file_sha256,
    source_row_number,
    first_reporting_quarter,
    last_reporting_quarter,
    first_known_quarter,
    newest_known_quarter,

    -- strings
    intervention_code,
    target_group,
    directed_at,
    group_status,
    cancelled_reason,
    case when group_status = 'avslutad' then first_ended_quarter end as ended_quarter,
    case when group_status = 'installd' then first_cancelled_quarter end as cancelled_quarter,

    -- numerics
    seat_count,
    registered_count,
    girl_count,
    boy_count,
    mother_count,
    father_count,
    social_services_count,
    completed_count,
    wait_sum_days,

    -- booleans
    is_open_to_others,
    is_open,
    is_open and is_missing_from_newer as is_lost,
    is_open and not is_missing_from_newer as is_ripening,

    -- dates
    planned_start_date,
    actual_start_date,
    submitted_at
from followed
