with keys_in_force as (
    {{ keys_in_force('stg_oppenvard', 'episode_id') }}
),

rows_in_force as (
    {{ rows_in_force('stg_oppenvard') }}
),

{{ newest_rows('episode_id', 'keys_in_force') }},

followed as (
    select
        newest_rows.*,
        -- of the unit that the row counts in: a successor's first quarter may be another predecessor's
        beginnings.first_quarter as first_known_quarter,
        dates.newest_quarter,
        dates.as_of_date as district_as_of_date,
        newest_rows.end_date is null as is_open,
        newest_rows.end_date is null and newest_rows.last_reporting_quarter < dates.newest_quarter as is_lost
    from newest_rows
    inner join {{ ref('int_district_datasets__dated') }} as dates
        on newest_rows.district_code = dates.district_code and dates.dataset = 'oppenvard'
    inner join {{ ref('int_district_datasets__dated') }} as beginnings
        on newest_rows.first_district_code = beginnings.district_code and beginnings.dataset = 'oppenvard'
),

-- the episode's case: same case number and child, in any unit that mergers have joined with the episode's unit
families as (
    select
        ancestor_code as district_code,
        descendant_code as family_code
    from {{ ref('int_districts__related') }}
    where is_last
),

cases as (
    select
        cases.case_key,
        cases.case_id,
        cases.match_person_key,
        cases.district_code,
        cases.received_date,
        cases.investigation_start_date,
        families.family_code
    from {{ ref('int_cases__in_force') }} as cases
    inner join families
        on cases.district_code = families.district_code
),

matched as (
    select
        followed.*,
        cases.case_key,
        cases.received_date as case_received_date,
        cases.investigation_start_date as case_investigation_start_date,
        row_number() over (
            partition by followed.identity_key
            order by
                case when cases.district_code = followed.first_district_code then 0 else 1 end asc,
                cases.received_date desc,
                cases.case_key asc
        ) as choice
    from followed
    inner join families
        on followed.first_district_code = families.district_code
    left join cases
        on
            families.family_code = cases.family_code
            and followed.case_id = cases.case_id
            and followed.match_person_key = cases.match_person_key
)

select
    -- ids
    identity_key as episode_key,
    episode_id,
    case_key,
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
    target_group,
    intervention_code,
    provider,
    end_reason,
    goal_attainment,
    follow_up_method,
    legal_ground,

    -- numerics
    session_count,

    -- booleans
    is_linkable,
    is_birth_date_exact,
    is_followed_up,
    is_open,
    is_lost,

    -- dates
    birth_date,
    case_received_date,
    case_investigation_start_date,
    application_date,
    decision_date,
    start_date,
    end_date,
    followed_up_date,
    case
        when is_lost then least(district_as_of_date, {{ quarter_end('last_reporting_quarter') }})
        else district_as_of_date
    end as as_of_date,
    -- the last day for which the episode's own files say whether it is ongoing
    case
        when is_lost then {{ quarter_end('last_reporting_quarter') }}
        else {{ quarter_end('newest_quarter') }}
    end as known_until_date,
    submitted_at
from matched
where choice = 1
