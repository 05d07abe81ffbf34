with units as (
    select
        districts.district_code,
        districts.name as district_label,
        districts.kind,
        districts.valid_from,
        districts.valid_to,
        successions.successor_code,
        related.descendant_code as current_district_code
    from {{ ref('districts') }} as districts
    left join {{ ref('district_successions') }} as successions
        on districts.district_code = successions.predecessor_code
    inner join {{ ref('int_districts__related') }} as related
        on districts.district_code = related.ancestor_code and related.is_current

    union all

    select
        {{ whole_code() }} as district_code,
        {{ whole_name() }} as district_label,
        'city' as kind,
        min(valid_from) as valid_from,
        null as valid_to,
        null as successor_code,
        {{ whole_code() }} as current_district_code
    from {{ ref('districts') }}
)

select
    units.district_code,
    units.district_label,
    units.kind,
    units.successor_code,
    units.current_district_code,
    dates.first_quarter as first_known_quarter,
    dates.newest_quarter as newest_known_quarter,
    coalesce(dates.is_left_out_of_city, false) as is_left_out_of_city,
    cast(units.valid_from as date) as valid_from,
    cast(units.valid_to as date) as valid_to,
    dates.as_of_date
from units
left join {{ ref('int_district_datasets__dated') }} as dates
    on units.district_code = dates.district_code and dates.dataset = 'arenden'
