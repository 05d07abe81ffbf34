{%- set dimensions = [['intervention_category', 'intervention_code'], ['seats_district_code']] -%}
{#- what free seats are published from: the seats of planned groups, and those registered for them -#}
{%- set own = ['own_seats__planned', 'own_seats__registered', 'own_seats__registered__key'] -%}
{%- set others = ['seats__planned', 'seats__registered', 'seats__registered__key'] -%}

-- 1. Each unit's queue and free seats, by intervention
with units as (
    select
        memberships.district_code as reporting_code,
        memberships.counts_in_code as district_code,
        bases.district_basis
    from {{ ref('dim_district_membership') }} as memberships
    inner join {{ district_bases() }}
        on memberships.counts_in_basis in ('both', bases.district_basis)
    where memberships.counts_in_code <> {{ whole_code() }}
),

unit_stock as (
    select
        units.district_code,
        units.district_basis,
        stock.reporting_quarter,
        stock.intervention_category,
        stock.intervention_code,
        {{ sum_with_key('queue', 'stock.queue_count', 'true', 'stock.record_key') | indent(8) }},
        {%- for name, condition in [
            ('own_seats', "stock.group_status = 'planerad'"),
            ('seats', "stock.group_status = 'planerad' and stock.is_open_to_others"),
        ] %}
        {{ sum_of('stock.seat_count', condition) }} as {{ name }}__planned,
        {{ sum_with_key(name ~ '__registered', 'stock.registered_count', condition, 'stock.record_key') | indent(8) }},
        {%- endfor %}
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

-- 2. Each queue with the free seats of every other unit
queues as (
    select * from unit_stock
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
        queues.queue__key,
        queues.own_seats_free,
        {%- for column in own %}
        queues.{{ column }},
        {%- endfor %}
        seats.seats_free,
        {%- for column in others %}
        seats.{{ column }},
        {%- endfor %}
        seats.earliest_start_date
    from queues
    inner join unit_stock as seats
        on
            queues.district_basis = seats.district_basis
            and queues.reporting_quarter = seats.reporting_quarter
            and queues.intervention_code = seats.intervention_code
            and queues.district_code <> seats.district_code
            and seats.seats_free > 0
),

-- 3. A row for each other unit with free seats, and one row `alla` for the queue itself, also when no neighbour has any
mart_rows as (
    select
        district_code,
        district_basis,
        reporting_quarter,
        intervention_category,
        intervention_code,
        seats_district_code,
        queue,
        queue__key,
        own_seats_free,
        {{ own | join(',\n        ') }},
        seats_free,
        {{ others | join(',\n        ') }},
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
        queues.queue__key,
        queues.own_seats_free,
        {%- for column in own %}
        queues.{{ column }},
        {%- endfor %}
        {{ sum_of('pairs.seats_free') }} as seats_free,
        {{ sum_of('pairs.seats__planned') }} as seats__planned,
        {{ sum_cells_with_key('seats__registered', cells='pairs') | indent(8) }},
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
        queues.queue__key,
        queues.own_seats_free,
        queues.{{ own | join(',\n        queues.') }}
)

select
    mart_rows.district_code,
    mart_rows.district_basis,
    {{ quarter_columns('mart_rows', dimensions) }},
    'handelse' as cohort_basis,
    mart_rows.intervention_category,
    mart_rows.intervention_code,
    mart_rows.seats_district_code,
    mart_rows.queue,
    mart_rows.own_seats_free,
    mart_rows.seats_free,
    cast(least(mart_rows.queue, mart_rows.seats_free) as integer) as places_possible,
    mart_rows.districts_with_seats,
    mart_rows.earliest_start_date,
    -- the state at the end of the quarter: it does not change later
    true as is_cohort_complete,
    false as is_survivors_only,
    -- the free seats may be in any district, so the row rests on the whole city's files
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
    {{- private_columns('mart_rows', ['queue__key'] + own + others) }}
from mart_rows
left join {{ ref('fct_completeness') }} as completeness
    on
        completeness.district_code = {{ whole_code() }}
        and mart_rows.district_basis = completeness.district_basis
        and mart_rows.reporting_quarter = completeness.reporting_quarter
        and not completeness.is_year
        and completeness.dataset = 'grupper'
