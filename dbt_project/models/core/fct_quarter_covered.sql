-- a unit's cases of a quarter may be in its own file, in a predecessor's or in a successor's
with related as (
    select
        descendant_code as district_code,
        ancestor_code as reporting_code
    from {{ ref('int_districts__related') }}

    union

    select
        ancestor_code as district_code,
        descendant_code as reporting_code
    from {{ ref('int_districts__related') }}
),

covered as (
    select distinct
        related.district_code,
        submissions.dataset,
        submissions.reporting_quarter
    from {{ ref('int_submissions__received') }} as submissions
    inner join related
        on submissions.district_code = related.reporting_code
    where submissions.is_in_force
)

select
    district_code || '|' || reporting_quarter || '|' || dataset as covered_key,
    district_code,
    reporting_quarter,
    dataset
from covered
