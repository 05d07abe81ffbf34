{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_rutiner') }}
)

select
    submission_id || '|' || source_row_number as routine_key,
    district_code,
    reporting_quarter,
    submission_id,
    source_file_sha256,
    source_row_number,
    coalesce(unit_kind, 'okand') as unit_kind,
    {{ directed_at('directed_at') }} as directed_at,
    coalesce(routine_status, 'okand') as routine_status,
    {{ dbt.datediff('revised_date', quarter_end('reporting_quarter'), 'day') }} as routine_age_days,
    revised_date,
    submitted_at
from rows_in_force
