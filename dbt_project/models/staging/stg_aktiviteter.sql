with source as (
    select * from {{ ref('base_aktiviteter') }}
),

renamed as (
    select
        -- ids
        submission_id,
        district_code,
        reporting_quarter,
        source_file_sha256,
        source_row_number,
        aktivitet_id as activity_id,

        -- strings
        typ as activity_type,
        niva as activity_level,
        tema as theme,
        mottagare as audience,

        -- numerics
        cast(deltagare as integer) as participant_count,

        -- dates
        cast(datum as date) as activity_date,
        submitted_at
    from source
)

select * from renamed
