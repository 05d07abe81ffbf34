{{ config(materialized='view') }}

with rows_in_force as (
    {{ rows_in_force('stg_utbud') }}
)

select
    rows_in_force.submission_id || '|' || rows_in_force.source_row_number as supply_key,
    rows_in_force.district_code,
    rows_in_force.reporting_quarter,
    rows_in_force.submission_id,
    rows_in_force.source_file_sha256,
    rows_in_force.source_row_number,
    coalesce(interventions.category, 'okand') as intervention_category,
    coalesce(rows_in_force.intervention_code, 'okand') as intervention_code,
    coalesce(rows_in_force.form, 'okand') as form,
    coalesce(rows_in_force.supply_status, 'okand') as supply_status,
    coalesce(rows_in_force.provider, 'okand') as provider,
    coalesce(rows_in_force.target_group, 'okand') as target_group,
    {{ directed_at('rows_in_force.directed_at') }} as directed_at,
    coalesce(rows_in_force.evidence_based, 'okant') as evidence_based,
    rows_in_force.languages,
    rows_in_force.legal_ground,
    rows_in_force.session_limit,
    rows_in_force.quoted_wait_days,
    rows_in_force.web_updated_date,
    {{ dbt.datediff(
        'rows_in_force.web_updated_date', quarter_end('rows_in_force.reporting_quarter'), 'day'
    ) }} as web_age_days,
    rows_in_force.submitted_at
from rows_in_force
left join {{ ref('interventions') }} as interventions
    on rows_in_force.intervention_code = interventions.intervention_code
