with current_units as (
    select
        ancestor_code as district_code,
        descendant_code as current_code
    from {{ ref('int_districts__related') }}
    where is_current
),

merged as (
    select current_code
    from current_units
    group by current_code
    having count(*) > 1
)

-- a unit without a merger is the same in both divisions and has one row, `both`
select
    current_units.district_code,
    current_units.district_code as counts_in_code,
    case when merged.current_code is null then 'both' else 'as_submitted' end as counts_in_basis
from current_units
left join merged
    on current_units.current_code = merged.current_code

union all

select
    current_units.district_code,
    current_units.current_code as counts_in_code,
    '{{ division_name() }}' as counts_in_basis
from current_units
inner join merged
    on current_units.current_code = merged.current_code

union all

select
    district_code,
    {{ whole_code() }} as counts_in_code,
    'both' as counts_in_basis
from current_units
