-- The units whose files a unit's row rests on. As submitted: its own and, after it has ended, its successors'. In the
-- division of the day: all that are part of it, now or before. For the city: every unit's.
select
    ancestor_code as district_code,
    'as_submitted' as district_basis,
    descendant_code as reporting_code
from {{ ref('int_districts__related') }}

union

select
    members.descendant_code as district_code,
    '{{ division_name() }}' as district_basis,
    related.descendant_code as reporting_code
from {{ ref('int_districts__related') }} as members
inner join {{ ref('int_districts__related') }} as related
    on members.ancestor_code = related.ancestor_code
where members.is_current

union

select
    {{ whole_code() }} as district_code,
    bases.district_basis,
    districts.district_code as reporting_code
from {{ ref('districts') }} as districts
cross join {{ district_bases() }}
