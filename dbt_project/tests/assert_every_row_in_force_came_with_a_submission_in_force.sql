-- A file that the ledger does not hold in force would be left out in silence.
with files as (
    select distinct submission_id from {{ ref('stg_arenden') }}
    union all
    select distinct submission_id from {{ ref('stg_oppenvard') }}
    union all
    select distinct submission_id from {{ ref('stg_serviceinsatser') }}
)

select files.submission_id
from files
left join {{ ref('fct_submission') }} as submissions
    on files.submission_id = submissions.submission_id and submissions.is_in_force
where submissions.submission_id is null
