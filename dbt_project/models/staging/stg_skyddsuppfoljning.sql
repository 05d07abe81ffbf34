with source as (
    select * from {{ ref('base_skyddsuppfoljning') }}
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
        tidpunkt as time_of_week,

        -- numerics
        cast(antal_barnforhor as integer) as interview_count,
        cast(antal_hem_utan_placering as integer) as home_without_placement_count,
        cast(antal_uppfoljda_samma_dygn as integer) as followed_up_same_day_count,
        cast(antal_uppfoljda_inom_tre_dygn as integer) as followed_up_within_3_days_count,

        -- dates
        submitted_at
    from source
)

select * from renamed
