{{ config(materialized='view') }}

select
    submission_id,
    district_code,
    dataset,
    reporting_quarter,
    source_file_sha256,
    source_file_name,
    submission_state,
    version,
    contract_version,
    coalesce(row_count, 0) as row_count,
    coalesce(error_count, 0) as error_count,
    coalesce(query_count, 0) as query_count,
    coalesce(open_query_count, 0) as open_query_count,
    is_in_force,
    is_synthetic,
    is_on_time,
    deadline_date,
    submitted_at
from {{ ref('stg_submissions') }}
