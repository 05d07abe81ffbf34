with keys_in_force as (
    {{ keys_in_force('stg_arenden', 'case_id') }}
),

rows_in_force as (
    {{ rows_in_force('stg_arenden') }}
),

{{ newest_rows('case_id', 'keys_in_force') }},

followed as (
    select
        newest_rows.*,
        -- of the unit that the row counts in: a successor's first quarter may be another predecessor's
        beginnings.first_quarter as first_known_quarter,
        dates.as_of_date as district_as_of_date,
        newest_rows.last_reporting_quarter < dates.newest_quarter as is_missing_from_newer,
        coalesce(
            newest_rows.is_investigation_opened is null
            or (newest_rows.is_investigation_opened and newest_rows.investigation_end_date is null),
            false
        ) as is_open
    from newest_rows
    inner join {{ ref('int_district_datasets__dated') }} as dates
        on newest_rows.district_code = dates.district_code and dates.dataset = 'arenden'
    inner join {{ ref('int_district_datasets__dated') }} as beginnings
        on newest_rows.first_district_code = beginnings.district_code and beginnings.dataset = 'arenden'
)

select
    -- ids
    identity_key as case_key,
    case_id,
    person_key,
    match_person_key,
    first_district_code as district_code,
    district_code as last_district_code,
    submission_id,
    source_file_sha256,
    source_row_number,
    first_reporting_quarter,
    last_reporting_quarter,
    first_known_quarter,

    -- strings
    id_type,
    sex,
    area_code,
    referral_type,
    application_concerns,
    source_code,
    reason_code,
    other_reason_codes,
    lives_with_parent_concerned,
    not_opened_reason,
    referred_to_code,
    intervention_code,
    acceptance,

    -- numerics
    offered_intervention_count,

    -- booleans
    is_linkable,
    is_birth_date_exact,
    is_investigation_opened,
    is_child_heard,
    is_school_contacted,
    has_earlier_report,
    has_earlier_investigation,
    has_earlier_intervention,
    is_offered,
    is_open,
    is_open and is_missing_from_newer as is_lost,
    -- a coming file can still change it: the case is open, or an answer is awaited
    (is_open or coalesce(acceptance = 'vantar', false)) and not is_missing_from_newer as is_ripening,

    -- dates
    birth_date,
    received_date,
    pre_assessment_done_date,
    -- an application may be decided without a pre-assessment
    case
        when is_investigation_opened is not null
            then coalesce(pre_assessment_done_date, investigation_start_date, received_date)
    end as decided_date,
    investigation_start_date,
    investigation_extended_to_date,
    investigation_end_date,
    case
        when is_open and is_missing_from_newer
            then least(district_as_of_date, {{ quarter_end('last_reporting_quarter') }})
        else district_as_of_date
    end as as_of_date,
    submitted_at
from followed
