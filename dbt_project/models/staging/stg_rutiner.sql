with source as (
    select * from {{ ref('base_rutiner') }}
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
        enhet as unit_kind,
        riktad_till as directed_at,
        rutin as routine_status,

        -- dates
        cast(senast_reviderad as date) as revised_date,
        submitted_at
    from source
)

select * from renamed
