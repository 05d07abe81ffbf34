-- Groups by quarter of their actual start, those cancelled by quarter of their planned start, and who waits in one
-- district while another has seats in a group of the same kind that is open to others.
with city as (
    select *
    from marts.mart_recruitment
    where
        period_kind = 'kvartal'
        and district_code in (select district_code from core.dim_district where kind = 'city')
        and district_basis = 'as_submitted'
        and not is_survivors_only
        and columns(['intervention_category', 'intervention_code']) = 'alla'
),

cancelled as (
    select
        reporting_quarter,
        groups_cancelled,
        groups_cancelled_for_too_few
    from city
    where cohort_basis = 'planerad'
),

queues as (
    select
        district_code,
        reporting_quarter,
        intervention_code,
        max(queue) as queue
    from marts.mart_vacancies
    where period_kind = 'kvartal' and district_basis = 'as_submitted'
    group by district_code, reporting_quarter, intervention_code
),

shared as (
    select
        reporting_quarter,
        sum(queue) as waiting
    from queues
    group by reporting_quarter
)

select
    city.reporting_quarter as quarter,
    city.groups_started,
    city.seats,
    city.participants,
    cancelled.groups_cancelled,
    cancelled.groups_cancelled_for_too_few,
    shared.waiting
from city
left join cancelled on city.reporting_quarter = cancelled.reporting_quarter
left join shared on city.reporting_quarter = shared.reporting_quarter
where city.cohort_basis = 'startad'
order by quarter
