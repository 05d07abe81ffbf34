with source as (
    select * from {{ ref('base_submissions') }}
),

renamed as (
    select
        -- ids
        submission_id,
        district_code,
        dataset,
        reporting_quarter,
        source_file_sha256,

        -- strings
        state as submission_state,
        source_file_name,

        -- numerics
        cast(version as integer) as version,
        cast(contract_version as integer) as contract_version,
        cast(row_count as integer) as row_count,
        cast(error_count as integer) as error_count,
        cast(query_count as integer) as query_count,
        cast(open_query_count as integer) as open_query_count,

        -- booleans
        is_in_force,
        is_synthetic,
        is_on_time,

        -- dates
        cast(deadline_date as date) as deadline_date,
        submitted_at
    from source
)

select * from renamed
