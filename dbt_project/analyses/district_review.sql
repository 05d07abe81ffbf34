-- A district's review of a period, as the districts do it: the pre-assessments of the period that led to no
-- investigation and the investigations begun in it. One row per unit and division. Vars: review_from, review_to and
-- review_until (the last day on which a return is counted).
{%- set first_day = "cast('" ~ var('review_from') ~ "' as date)" -%}
{%- set last_day = "cast('" ~ var('review_to') ~ "' as date)" -%}
{%- set until = "cast('" ~ var('review_until') ~ "' as date)" %}

with units as (
    select
        membership.district_code,
        membership.counts_in_code,
        bases.district_basis
    from {{ ref('dim_district_membership') }} as membership
    inner join {{ district_bases() }}
        on membership.counts_in_basis in ('both', bases.district_basis)
),

reviewed as (
    select
        units.counts_in_code as district_code,
        units.district_basis,
        cast(count(*) as integer) as cases,
        cast(count(distinct cases.person_key) as integer) as persons,
        {{ count_where('cases.is_investigated') }} as investigations,
        {{ count_where('cases.is_offered') }} as offered,
        {{ count_where('cases.is_accepted') }} as accepted
    from {{ ref('fct_case') }} as cases
    inner join units
        on cases.district_code = units.district_code
    where
        case when cases.is_investigated then cases.investigation_start_date else cases.decided_date end
        between {{ first_day }} and {{ last_day }}
    group by units.counts_in_code, units.district_basis
),

followed as (
    select
        units.counts_in_code as district_code,
        units.district_basis,
        {{ re_referred_by_date(until) | indent(8) }},
        {{ repeat_investigated_share(until) | indent(8) }},
        {{ count_where('not is_linkable') }} as unlinkable
    from {{ ref('fct_investigation') }} as investigations
    inner join units
        on investigations.district_code = units.district_code
    where investigations.investigation_start_date between {{ first_day }} and {{ last_day }}
    group by units.counts_in_code, units.district_basis
)

select
    reviewed.district_code,
    reviewed.district_basis,
    reviewed.cases,
    reviewed.persons,
    reviewed.investigations,
    reviewed.offered,
    reviewed.accepted,
    {{ rate('re_referred_by_date') | indent(4) }},
    {{ rate('repeat_investigated_share') | indent(4) }},
    followed.unlinkable
from reviewed
left join followed
    on reviewed.district_code = followed.district_code and reviewed.district_basis = followed.district_basis
