{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_ungdomsmottagning') }}
)

select
    submission_id || '|' || source_row_number as clinic_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    coalesce(trim(clinic), 'okand') as clinic,
    coalesce(sex, 'okant') as sex,
    coalesce(clinic_age_band, 'okand') as clinic_age_band,
    coalesce(visit_count, 0) as visit_count,
    coalesce(new_visitor_count, 0) as new_visitor_count,
    coalesce(digital_visit_count, 0) as digital_visit_count,
    {{ reported_waits('rows_in_force') }},
    submitted_at
from rows_in_force
