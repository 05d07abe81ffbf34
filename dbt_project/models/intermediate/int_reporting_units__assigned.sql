-- whose files a row of a unit rests on: its own and, once it has ended, its successors'; in the division of the day
-- all that have become part of it; for the city everyone's
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
    'stockholm' as district_code,
    bases.district_basis,
    districts.district_code as reporting_code
from {{ ref('districts') }} as districts
cross join {{ district_bases() }}
