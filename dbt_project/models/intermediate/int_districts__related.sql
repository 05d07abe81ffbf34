with recursive walked as (
    select
        district_code as ancestor_code,
        district_code as descendant_code,
        0 as generations
    from {{ ref('districts') }}

    union all

    select
        walked.ancestor_code,
        successions.successor_code as descendant_code,
        walked.generations + 1 as generations
    from walked
    inner join {{ ref('district_successions') }} as successions
        on walked.descendant_code = successions.predecessor_code
),

dated as (
    select
        walked.ancestor_code,
        walked.descendant_code,
        walked.generations,
        descendants.valid_from <= {{ division_date() }} as has_begun
    from walked
    inner join {{ ref('districts') }} as descendants
        on walked.descendant_code = descendants.district_code
)

select
    ancestor_code,
    descendant_code,
    generations,
    -- is_current: the ancestor's unit in the division of the day; is_last: its last known successor
    row_number() over (
        partition by ancestor_code
        order by case when has_begun or generations = 0 then generations else -1 end desc
    ) = 1 as is_current,
    row_number() over (partition by ancestor_code order by generations desc) = 1 as is_last
from dated
