with quarterly as (
    select
        assigned.district_code,
        assigned.district_basis,
        status.dataset,
        status.reporting_quarter,
        cast(bool_or(status.is_in_force) as integer) as quarters_in_force,
        {{ count_where('status.is_expected and status.is_in_force') }} as districts_in_force,
        {{ count_where('status.is_expected') }} as districts_expected,
        {{ count_where('status.is_in_force and not status.is_on_time') }} as late,
        {{ sum_of('status.open_query_count') }} as open_queries
    from {{ ref('int_reporting_units__assigned') }} as assigned
    inner join {{ ref('int_submissions__expected') }} as status
        on assigned.reporting_code = status.district_code
    group by assigned.district_code, assigned.district_basis, status.reporting_quarter, status.dataset
),

{{ completeness_in_years('dataset') }}

select
    district_code || '|' || district_basis || '|' || reporting_quarter || case when is_year then '|ar|' else '|' end
    || dataset as completeness_key,
    district_code,
    district_basis,
    reporting_quarter,
    is_year,
    dataset,
    quarters_in_force,
    districts_in_force,
    districts_expected,
    late,
    open_queries
from in_years
