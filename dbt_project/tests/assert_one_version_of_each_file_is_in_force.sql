select
    district_code,
    reporting_quarter,
    dataset
from {{ ref('fct_submission') }}
where is_in_force
group by district_code, reporting_quarter, dataset
having count(*) > 1
