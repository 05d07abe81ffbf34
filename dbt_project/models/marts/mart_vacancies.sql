with units as (
    select
        memberships.district_code as reporting_code,
        memberships.counts_in_code as district_code,
        bases.district_basis
    from {{ ref('dim_district_membership') }} as memberships
    inner join {{ district_bases() }}
        on memberships.counts_in_basis in ('both', bases.district_basis)
    where memberships.counts_in_code <> 'stockholm'
),

standing as (
    select
        units.district_code,
        units.district_basis,
        stock.reporting_quarter,
        stock.intervention_category,
        stock.intervention_code,
        {{ sum_of('stock.queue_count') }} as queue,
        {{ sum_of('stock.free_seat_count') }} as own_seats_free,
        {{ sum_of('stock.free_seat_count', 'stock.is_open_to_others') }} as seats_free,
        min(stock.planned_start_date) filter (where stock.is_open_to_others and stock.free_seat_count > 0)
            as earliest_start_date
    from {{ ref('fct_group_quarter') }} as stock
    inner join units
        on stock.district_code = units.reporting_code
    group by
        units.district_code,
        units.district_basis,
        stock.reporting_quarter,
        stock.intervention_category,
        stock.intervention_code
),

queues as (
    select * from standing
    where queue > 0
),

pairs as (
    select
        queues.district_code,
        queues.district_basis,
        queues.reporting_quarter,
        queues.intervention_category,
        queues.intervention_code,
        seats.district_code as seats_district_code,
        queues.queue,
        queues.own_seats_free,
        seats.seats_free,
        seats.earliest_start_date
    from queues
    inner join standing as seats
        on
            queues.district_basis = seats.district_basis
            and queues.reporting_quarter = seats.reporting_quarter
            and queues.intervention_code = seats.intervention_code
            and queues.district_code <> seats.district_code
            and seats.seats_free > 0
),

-- a queue that nobody can take from is told too
told as (
    select
        district_code,
        district_basis,
        reporting_quarter,
        intervention_category,
        intervention_code,
        seats_district_code,
        queue,
        own_seats_free,
        seats_free,
        1 as districts_with_seats,
        earliest_start_date
    from pairs

    union all

    select
        queues.district_code,
        queues.district_basis,
        queues.reporting_quarter,
        queues.intervention_category,
        queues.intervention_code,
        'alla' as seats_district_code,
        queues.queue,
        queues.own_seats_free,
        {{ sum_of('pairs.seats_free') }} as seats_free,
        {{ count_where('pairs.seats_free > 0') }} as districts_with_seats,
        min(pairs.earliest_start_date) as earliest_start_date
    from queues
    left join pairs
        on
            queues.district_code = pairs.district_code
            and queues.district_basis = pairs.district_basis
            and queues.reporting_quarter = pairs.reporting_quarter
            and queues.intervention_code = pairs.intervention_code
    group by
        queues.district_code,
        queues.district_basis,
        queues.reporting_quarter,
        queues.intervention_category,
        queues.intervention_code,
        queues.queue,
        queues.own_seats_free
)

select
    told.district_code,
    told.district_basis,
    told.reporting_quarter,
    'handelse' as cohort_basis,
    told.intervention_category,
    told.intervention_code,
    told.seats_district_code,
    told.queue,
    told.own_seats_free,
    told.seats_free,
    cast(least(told.queue, told.seats_free) as integer) as places_possible,
    told.districts_with_seats,
    told.earliest_start_date,
    -- as it stood when the quarter ended: nothing is left to ripen
    true as is_cohort_complete,
    false as is_survivors_only,
    -- seats may be free in any district: the city's inputs are what the search rests on
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from told
left join {{ ref('fct_completeness') }} as completeness
    on
        completeness.district_code = 'stockholm'
        and told.district_basis = completeness.district_basis
        and told.reporting_quarter = completeness.reporting_quarter
        and completeness.dataset = 'grupper'
