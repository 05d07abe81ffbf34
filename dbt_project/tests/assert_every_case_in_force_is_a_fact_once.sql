-- Each case and child in the files of a unit and its predecessors is one fact: none is lost, none counted twice.
with families as (
    select
        ancestor_code as district_code,
        descendant_code as family_code
    from {{ ref('int_districts__related') }}
    where is_last
),

submitted as (
    select distinct
        families.family_code,
        cases.case_id,
        cases.match_person_key
    from {{ ref('stg_arenden') }} as cases
    inner join families
        on cases.district_code = families.district_code
),

facts as (
    select
        families.family_code,
        cases.case_id,
        cases.match_person_key,
        count(*) as fact_count,
        count(distinct cases.district_code) as district_count
    from {{ ref('fct_case') }} as facts
    inner join {{ ref('int_cases__in_force') }} as cases
        on facts.case_key = cases.case_key
    inner join families
        on cases.district_code = families.district_code
    group by families.family_code, cases.case_id, cases.match_person_key
)

select
    submitted.*,
    facts.fact_count
from submitted
full outer join facts
    on
        submitted.family_code = facts.family_code
        and submitted.case_id = facts.case_id
        and submitted.match_person_key = facts.match_person_key
where
    submitted.case_id is null
    or facts.case_id is null
    -- two predecessors may have used the same number for the same child: then each has its own
    or facts.fact_count <> facts.district_count
