with source as (
    select * from {{ ref('base_ungdomsmottagning') }}
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
        mottagning as clinic,
        kon as sex,
        aldersgrupp as clinic_age_band,

        -- numerics
        cast(besok as integer) as visit_count,
        cast(nya_besokare as integer) as new_visitor_count,
        cast(digitala_besok as integer) as digital_visit_count,
        cast(vantade_0_7 as integer) as waited_0_7_days_count,
        cast(vantade_8_14 as integer) as waited_8_14_days_count,
        cast(vantade_15_30 as integer) as waited_15_30_days_count,
        cast(vantade_31_90 as integer) as waited_31_90_days_count,
        cast(vantade_over_90 as integer) as waited_over_90_days_count,
        cast(vantetid_summa_dagar as integer) as wait_sum_days,

        -- dates
        submitted_at
    from source
)

select * from renamed
