with submissions as (
    select * from {{ ref('int_submissions__received') }}
    where dataset is not null and reporting_quarter is not null
),

arrived as (
    select
        district_code,
        reporting_quarter,
        dataset,
        count(*) as attempts,
        max(version) filter (where is_in_force) as version,
        max(submission_id) filter (where is_in_force) as submission_id,
        bool_or(is_in_force) as is_in_force,
        -- a correction after the deadline does not make a district late
        {{ value_at_least('is_on_time', 'submitted_at') }} filter (where submission_state = 'accepted') as is_on_time,
        min(submitted_at) filter (where submission_state = 'accepted') as first_accepted_at,
        {{ value_at_most('submission_state', 'submitted_at') }} as latest_state,
        {{ value_at_most('error_count', 'submitted_at') }} as latest_error_count,
        max(row_count) filter (where is_in_force) as row_count,
        max(open_query_count) filter (where is_in_force) as open_query_count
    from submissions
    group by district_code, reporting_quarter, dataset
),

begun as (
    select
        dataset,
        min(reporting_quarter) as first_reporting_quarter
    from submissions
    where submission_state = 'accepted'
    group by dataset
),

expected as (
    select
        districts.district_code,
        quarters.reporting_quarter,
        begun.dataset
    from {{ ref('districts') }} as districts
    inner join {{ ref('dim_quarter') }} as quarters
        on
            districts.valid_from <= quarters.quarter_start_date
            and coalesce(districts.valid_to, date '9999-12-31') >= quarters.quarter_end_date
            and quarters.quarter_end_date < {{ clock_date() }}
    inner join begun
        on quarters.reporting_quarter >= begun.first_reporting_quarter
    where districts.kind = 'district'
),

combined as (
    select
        coalesce(expected.district_code, arrived.district_code) as district_code,
        coalesce(expected.reporting_quarter, arrived.reporting_quarter) as reporting_quarter,
        coalesce(expected.dataset, arrived.dataset) as dataset,
        expected.district_code is not null as is_expected,
        coalesce(arrived.is_in_force, false) as is_in_force,
        arrived.submission_id,
        arrived.version,
        arrived.is_on_time,
        arrived.first_accepted_at,
        arrived.latest_state,
        coalesce(arrived.attempts, 0) as attempts,
        coalesce(arrived.row_count, 0) as row_count,
        case when arrived.is_in_force then 0 else coalesce(arrived.latest_error_count, 0) end as error_count,
        coalesce(arrived.open_query_count, 0) as open_query_count
    from expected
    full outer join arrived
        on
            expected.district_code = arrived.district_code
            and expected.reporting_quarter = arrived.reporting_quarter
            and expected.dataset = arrived.dataset
)

select
    combined.district_code,
    combined.reporting_quarter,
    combined.dataset,
    combined.submission_id,
    case
        when combined.is_in_force then 'i_kraft'
        when combined.latest_state = 'refused' then 'avvisad'
        when combined.latest_state = 'withdrawn' then 'aterkallad'
        when quarters.deadline_date >= {{ clock_date() }} then 'vantas'
        else 'saknas'
    end as state,
    combined.version,
    combined.attempts,
    combined.row_count,
    combined.error_count,
    combined.open_query_count,
    coalesce(unlinkable.unlinkable_count, 0) as unlinkable_count,
    combined.is_expected,
    combined.is_in_force,
    combined.is_on_time,
    quarters.deadline_date,
    combined.first_accepted_at
from combined
inner join {{ ref('dim_quarter') }} as quarters
    on combined.reporting_quarter = quarters.reporting_quarter
left join {{ ref('int_unlinkable_rows__counted') }} as unlinkable
    on combined.submission_id = unlinkable.submission_id
