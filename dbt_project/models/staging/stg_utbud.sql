with source as (
    select * from {{ ref('base_utbud') }}
),

renamed as (
    select
        -- ids
        submission_id,
        district_code,
        reporting_quarter,
        source_file_sha256,
        source_row_number,

        -- strings
        insats as intervention_code,
        insatsform as form,
        status as supply_status,
        regi as provider,
        malgrupp as target_group,
        riktad_till as directed_at,
        innehall as content_text,
        evidensbaserad as evidence_based,
        sprak as languages,
        -- files of quarters before 2025Q3 do not have it
        coalesce(rattslig_grund, 'ej_tillampligt') as legal_ground,

        -- numerics
        cast(max_antal_samtal as integer) as session_limit,
        cast(vantetid_dagar as integer) as quoted_wait_days,

        -- dates
        cast(webbinfo_uppdaterad as date) as web_updated_date,
        submitted_at
    from source
)

select * from renamed
