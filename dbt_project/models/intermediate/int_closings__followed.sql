with city as (
    select as_of_date
    from {{ ref('int_district_datasets__dated') }}
    where district_code = {{ whole_code() }} and dataset = 'arenden'
),

investigations as (
    select
        cases.case_key,
        cases.person_key,
        cases.district_code,
        cases.last_district_code,
        cases.area_code,
        cases.sex,
        cases.birth_date,
        cases.investigation_start_date,
        -- a transferred investigation continues in the other district
        coalesce(followed.transfer_date, cases.investigation_end_date) as end_date,
        cases.as_of_date
    from {{ ref('int_cases__in_force') }} as cases
    inner join {{ ref('int_investigations__followed') }} as followed
        on cases.case_key = followed.case_key
    where cases.is_linkable
),

spans as (
    select
        case_key as span_key,
        person_key,
        district_code,
        last_district_code,
        area_code,
        sex,
        birth_date,
        investigation_start_date as begin_date,
        end_date,
        as_of_date
    from investigations

    union all

    -- an episode begins with its investigation's end: the wait between them is not a closing
    select
        episodes.episode_key as span_key,
        episodes.person_key,
        episodes.district_code,
        episodes.last_district_code,
        episodes.area_code,
        episodes.sex,
        episodes.birth_date,
        least(
            episodes.decision_date,
            coalesce(episodes.start_date, episodes.decision_date),
            coalesce(investigations.end_date, episodes.decision_date)
        ) as begin_date,
        episodes.end_date,
        episodes.as_of_date
    from {{ ref('int_episodes__in_force') }} as episodes
    left join investigations
        on episodes.case_key = investigations.case_key
    where episodes.is_linkable
),

-- periods without a gap: a span begins a new period if all spans before it have ended
ordered as (
    select
        *,
        max(coalesce(end_date, date '9999-12-31')) over (
            partition by person_key
            order by begin_date, span_key
            rows between unbounded preceding and 1 preceding
        ) as ended_before_date
    from spans
),

numbered as (
    select
        *,
        sum(case when begin_date <= ended_before_date then 0 else 1 end) over (
            partition by person_key
            order by begin_date, span_key
            rows between unbounded preceding and current row
        ) as period_number
    from ordered
),

-- a period closes with its last end, unless something in it is open or lost
closings as (
    select
        *,
        max(coalesce(end_date, date '9999-12-31')) over (partition by person_key, period_number) as closing_date,
        row_number() over (
            partition by person_key, period_number
            order by coalesce(end_date, date '9999-12-31') desc, begin_date desc, span_key asc
        ) as place
    from numbered
),

closed as (
    select
        closings.*,
        least(closings.as_of_date, coalesce(city.as_of_date, closings.as_of_date)) as followed_until_date,
        {{ birthday('closings.birth_date', 21) }} as turns_21_date
    from closings
    left join city
        on true
    where closings.place = 1 and closings.closing_date < date '9999-12-31'
),

returns as (
    select
        closed.span_key,
        min(investigations.investigation_start_date) as return_date
    from closed
    inner join investigations
        on
            closed.person_key = investigations.person_key
            and closed.closing_date < investigations.investigation_start_date
    group by closed.span_key
),

followed as (
    select
        closed.*,
        true as is_linkable,
        returns.return_date
    from closed
    left join returns
        on closed.span_key = returns.span_key
)

select
    -- ids
    span_key as closing_key,
    person_key,
    district_code,
    last_district_code,
    area_code,

    -- strings
    sex,

    -- booleans
    {{ is_followed('closing_date', 365, 'followed_until_date', 'turns_21_date') | indent(4) }} as is_followed_365,
    {{ is_awaited('closing_date', 365, 'followed_until_date', 'turns_21_date') | indent(4) }} as is_awaited_365,
    {{ is_followed('closing_date', 365, 'followed_until_date', 'turns_21_date') | indent(4) }}
    and {{ is_returned('closing_date', 365, 'return_date') }} as is_returned_365,

    -- dates
    birth_date,
    closing_date,
    return_date,
    followed_until_date
from followed
