with source as (
    select * from {{ ref('base_serviceinsatser') }}
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
        malgrupp as target_group,
        kon as sex,
        aldersgrupp as age_band,
        hanvisad_fran as referred_from,
        -- files of quarters before 2025Q3 do not have it
        coalesce(rattslig_grund, 'ej_tillampligt') as legal_ground,

        -- numerics
        cast(antal_nya as integer) as started_count,
        cast(antal_pagaende as integer) as ongoing_count,
        cast(antal_fullfoljt as integer) as completed_count,
        cast(antal_avbrutit as integer) as interrupted_count,
        cast(antal_samtal as integer) as session_count,
        cast(antal_uppfoljda as integer) as followed_up_count,
        cast(antal_i_ko as integer) as queue_count,
        cast(vantade_0_7 as integer) as waited_0_7_days_count,
        cast(vantade_8_14 as integer) as waited_8_14_days_count,
        cast(vantade_15_30 as integer) as waited_15_30_days_count,
        cast(vantade_31_90 as integer) as waited_31_90_days_count,
        cast(vantade_over_90 as integer) as waited_over_90_days_count,
        cast(vantetid_summa_dagar as integer) as wait_sum_days,
        cast(antal_battre as integer) as better_count,
        cast(antal_oforandrat as integer) as unchanged_count,
        cast(antal_samre as integer) as worse_count,

        -- dates
        submitted_at
    from source
)

select * from renamed
