select
    assigned.district_code || '|' || assigned.district_basis
    || '|' || status.reporting_quarter || '|' || status.dataset as completeness_key,
    assigned.district_code,
    assigned.district_basis,
    status.reporting_quarter,
    status.dataset,
    {{ count_where('status.is_expected and status.is_in_force') }} as districts_in_force,
    {{ count_where('status.is_expected') }} as districts_expected,
    {{ count_where('status.is_in_force and not status.is_on_time') }} as late,
    {{ sum_of('status.open_query_count') }} as open_queries
from {{ ref('int_reporting_units__assigned') }} as assigned
inner join {{ ref('int_submissions__expected') }} as status
    on assigned.reporting_code = status.district_code
group by assigned.district_code, assigned.district_basis, status.reporting_quarter, status.dataset
