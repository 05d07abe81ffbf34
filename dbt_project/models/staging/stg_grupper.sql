with source as (
    select * from {{ ref('base_grupper') }}
),

renamed as (
    select
        -- ids
        submission_id,
        district_code,
        reporting_quarter,
        source_file_sha256,
        source_row_number,
        grupp_id as group_id,

        -- strings
        insats as intervention_code,
        malgrupp as target_group,
        status as group_status,
        installd_skal as cancelled_reason,
        riktad_till as directed_at,

        -- numerics
        cast(platser as integer) as seat_count,
        cast(anmalda as integer) as registered_count,
        cast(deltagare_flickor as integer) as girl_count,
        cast(deltagare_pojkar as integer) as boy_count,
        cast(deltagare_mammor as integer) as mother_count,
        cast(deltagare_pappor as integer) as father_count,
        cast(deltagare_via_socialtjanst as integer) as social_services_count,
        cast(fullfoljt as integer) as completed_count,
        cast(i_ko as integer) as queue_count,
        cast(vantetid_summa_dagar as integer) as wait_sum_days,

        -- booleans
        oppen_for_andra_stadsdelar = 'ja' as is_open_to_others,

        -- dates
        cast(planerad_start as date) as planned_start_date,
        cast(faktisk_start as date) as actual_start_date,
        submitted_at
    from source
)

select * from renamed
