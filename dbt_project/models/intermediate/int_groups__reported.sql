with in_force as (
    {{ rows_in_force('stg_grupper') }}
),

rows_in_force as (
    select
        *,
        -- a group has no person: its number alone identifies it
        '' as match_person_key
    from in_force
),

{{ newest_rows('group_id') }},

identified as (
    select
        rows_in_force.*,
        coalesce(inherited.first_district_code, rows_in_force.district_code) as first_district_code
    from rows_in_force
    {{ join_inherited('rows_in_force', 'group_id') }}
)

select
    newest_rows.identity_key as group_key,
    identified.first_district_code as district_code,
    identified.district_code as reported_district_code,
    identified.reporting_quarter,
    identified.submission_id,
    identified.source_file_sha256,
    identified.source_row_number,
    newest_rows.first_reporting_quarter,
    newest_rows.last_reporting_quarter,
    identified.intervention_code,
    identified.target_group,
    identified.directed_at,
    identified.group_status,
    identified.cancelled_reason,
    identified.seat_count,
    identified.registered_count,
    identified.girl_count,
    identified.boy_count,
    identified.mother_count,
    identified.father_count,
    identified.social_services_count,
    identified.completed_count,
    identified.queue_count,
    identified.wait_sum_days,
    identified.is_open_to_others,
    identified.submission_id = newest_rows.submission_id
    and identified.source_row_number = newest_rows.source_row_number as is_newest,
    identified.planned_start_date,
    identified.actual_start_date,
    identified.submitted_at
from identified
inner join newest_rows
    on
        identified.first_district_code = newest_rows.first_district_code
        and identified.group_id = newest_rows.group_id
