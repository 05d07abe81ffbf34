with source as (
    select * from {{ ref('base_oppenvard') }}
),

renamed as (
    select
        -- ids
        submission_id,
        district_code,
        reporting_quarter,
        insats_id as episode_id,
        arende_id as case_id,
        person_key,
        match_person_key,
        source_file_sha256,
        source_row_number,

        -- strings
        id_typ as id_type,
        kon as sex,
        omrade as area_code,
        malgrupp as target_group,
        insats as intervention_code,
        regi as provider,
        avslutsorsak as end_reason,
        maluppfyllelse as goal_attainment,
        uppfoljningsmetod as follow_up_method,
        -- files of quarters before 2025Q3 do not have it
        coalesce(rattslig_grund, 'ej_tillampligt') as legal_ground,

        -- numerics
        cast(antal_tillfallen as integer) as session_count,

        -- booleans
        is_linkable,
        is_birth_date_exact,
        uppfoljd = 'ja' as is_followed_up,

        -- dates
        cast(birth_date as date) as birth_date,
        cast(ansokan_datum as date) as application_date,
        cast(beslut_datum as date) as decision_date,
        cast(start_datum as date) as start_date,
        cast(slut_datum as date) as end_date,
        cast(uppfoljd_datum as date) as followed_up_date,
        submitted_at
    from source
)

select * from renamed
