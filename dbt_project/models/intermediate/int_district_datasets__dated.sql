with own as (
    select
        district_code,
        dataset,
        min(reporting_quarter) as first_quarter,
        max(reporting_quarter) as newest_quarter
    from {{ ref('int_submissions__received') }}
    where is_in_force
    group by district_code, dataset
),

-- an ended unit's rows continue in its successors' files
newest as (
    select
        related.ancestor_code as district_code,
        own.dataset,
        max(own.newest_quarter) as newest_quarter
    from own
    inner join {{ ref('int_districts__related') }} as related
        on own.district_code = related.descendant_code
    group by related.ancestor_code, own.dataset
),

-- a successor's first quarter is its predecessors' first
series_start as (
    select
        related.descendant_code as district_code,
        own.dataset,
        min(own.first_quarter) as first_quarter,
        min(own.newest_quarter) as inherited_quarter
    from own
    inner join {{ ref('int_districts__related') }} as related
        on own.district_code = related.ancestor_code
    group by related.descendant_code, own.dataset
),

dated as (
    select
        series_start.district_code,
        series_start.dataset,
        series_start.first_quarter,
        -- a successor that has not submitted yet has the newest quarter of its slowest predecessor
        coalesce(newest.newest_quarter, series_start.inherited_quarter) as newest_quarter
    from series_start
    left join newest
        on series_start.district_code = newest.district_code and series_start.dataset = newest.dataset
),

front as (
    select
        dataset,
        max(newest_quarter) as newest_quarter,
        {{ quarter_end('max(newest_quarter)') }} as newest_date
    from own
    group by dataset
),

placed as (
    select
        dated.district_code,
        dated.dataset,
        dated.first_quarter,
        dated.newest_quarter,
        districts.kind = 'district'
        and districts.valid_from <= front.newest_date
        and coalesce(districts.valid_to, date '9999-12-31') >= front.newest_date as is_valid_now,
        {{ quarter_index('front.newest_quarter') }} - {{ quarter_index('dated.newest_quarter') }} as quarters_behind
    from dated
    inner join {{ ref('districts') }} as districts
        on dated.district_code = districts.district_code
    inner join front
        on dated.dataset = front.dataset
),

city as (
    select
        {{ whole_code() }} as district_code,
        dataset,
        min(first_quarter) as first_quarter,
        min(newest_quarter) as newest_quarter
    from placed
    where is_valid_now and quarters_behind <= 4
    group by dataset
),

all_units as (
    select
        district_code,
        dataset,
        first_quarter,
        newest_quarter,
        is_valid_now and quarters_behind > 4 as is_left_out_of_city
    from placed

    union all

    select
        district_code,
        dataset,
        first_quarter,
        newest_quarter,
        false as is_left_out_of_city
    from city
)

select
    units.district_code,
    units.dataset,
    units.first_quarter,
    units.newest_quarter,
    units.is_left_out_of_city,
    -- not after the as-of date of the cases: what happened in a case is not known after that
    least(
        {{ quarter_end('units.newest_quarter') }},
        coalesce({{ quarter_end('cases.newest_quarter') }}, {{ quarter_end('units.newest_quarter') }})
    ) as as_of_date
from all_units as units
left join all_units as cases
    on units.district_code = cases.district_code and cases.dataset = 'arenden'
