with opened as (
    select
        cases.case_key,
        cases.person_key,
        cases.is_linkable,
        cases.district_code,
        cases.last_district_code,
        cases.birth_date,
        cases.investigation_start_date,
        cases.investigation_end_date,
        -- a return can be in any district, so it is known only until the city's as-of date, and the district's own
        least(cases.as_of_date, coalesce(city.as_of_date, cases.as_of_date)) as followed_until_date
    from {{ ref('int_cases__in_force') }} as cases
    left join {{ ref('int_district_datasets__dated') }} as city
        on city.district_code = {{ whole_code() }} and city.dataset = 'arenden'
    where cases.is_investigation_opened and cases.investigation_start_date is not null
),

investigated_again as (
    select person_key
    from opened
    where is_linkable
    group by person_key
    having count(*) > 1
),

several as (
    select
        opened.case_key,
        opened.person_key,
        opened.district_code,
        opened.last_district_code,
        opened.investigation_start_date,
        opened.investigation_end_date
    from opened
    inner join investigated_again
        on opened.person_key = investigated_again.person_key
    where opened.is_linkable
),

-- units joined by a merger: a successor is not another district
related as (
    select
        ancestor_code as district_code,
        descendant_code as related_code
    from {{ ref('int_districts__related') }}

    union

    select
        descendant_code as district_code,
        ancestor_code as related_code
    from {{ ref('int_districts__related') }}
),

-- each investigation with each other investigation of the same person
paired as (
    select
        one.case_key,
        other.case_key as other_key,
        other.investigation_start_date as other_start_date,
        other.investigation_start_date > one.investigation_start_date as is_later,
        coalesce(other.investigation_start_date > one.investigation_end_date, false) as is_return,
        coalesce(
            related.district_code is null
            and other.investigation_start_date >= one.investigation_end_date
            and other.investigation_start_date
            <= {{ dbt.dateadd('day', transfer_days(), 'one.investigation_end_date') }},
            false
        ) as is_transfer
    from several as one
    inner join several as other
        on one.person_key = other.person_key and one.case_key <> other.case_key
    left join related
        on one.last_district_code = related.district_code and other.district_code = related.related_code
),

summed as (
    select
        case_key,
        min(other_start_date) as other_investigation_start_date,
        min(case when is_later then other_start_date end) as next_investigation_start_date,
        min(case when is_return then other_start_date end) as return_date,
        min(case when is_transfer then other_start_date end) as transfer_date
    from paired
    group by case_key
),

-- if several investigations began on the day of the return, the one with the smallest key gives the reason
returned as (
    select
        summed.case_key,
        min(paired.other_key) as return_case_key
    from summed
    inner join paired
        on
            summed.case_key = paired.case_key
            and summed.return_date = paired.other_start_date
            and paired.is_return
    group by summed.case_key
),

traced as (
    select
        opened.*,
        {{ birthday('opened.birth_date', 21) }} as turns_21_date,
        summed.other_investigation_start_date,
        summed.next_investigation_start_date,
        summed.return_date,
        summed.transfer_date,
        returned.return_case_key
    from opened
    left join summed
        on opened.case_key = summed.case_key
    left join returned
        on opened.case_key = returned.case_key
)

select
    -- ids
    case_key,
    person_key,
    return_case_key,

    -- booleans
    transfer_date is not null as is_transferred,
    {%- for days in follow_up_days() %}
    {{ is_followed('investigation_end_date', days, 'followed_until_date', 'turns_21_date') | indent(4) }}
    and transfer_date is null as is_followed_{{ days }},
    {{ is_awaited('investigation_end_date', days, 'followed_until_date', 'turns_21_date') | indent(4) }}
    and transfer_date is null as is_awaited_{{ days }},
    {{ is_followed('investigation_end_date', days, 'followed_until_date', 'turns_21_date') | indent(4) }}
    and transfer_date is null
    and {{ is_returned('investigation_end_date', days, 'return_date') }} as is_returned_{{ days }},
    {%- endfor %}

    -- dates
    other_investigation_start_date,
    next_investigation_start_date,
    return_date,
    transfer_date,
    followed_until_date
from traced
