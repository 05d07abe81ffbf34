with person_rows as (
    select
        submission_id,
        is_linkable
    from {{ ref('stg_arenden') }}

    union all

    select
        submission_id,
        is_linkable
    from {{ ref('stg_oppenvard') }}
)

select
    submission_id,
    {{ count_where('not is_linkable') }} as unlinkable_count
from person_rows
group by submission_id
