-- What is begun and not ended when a quarter ends is in that quarter's stock, from the district's first known quarter
-- to the last that its files tell of: the mart's count equals the one made from the episodes themselves.
with quarters as (
    select
        reporting_quarter,
        quarter_end_date
    from {{ ref('dim_quarter') }}
),

counted as (
    select
        episodes.district_code,
        quarters.reporting_quarter,
        count(*) as ongoing
    from {{ ref('fct_outpatient_episode') }} as episodes
    inner join quarters
        on
            episodes.started_quarter <= quarters.reporting_quarter
            and coalesce(episodes.end_date > quarters.quarter_end_date, true)
            and episodes.known_until_date >= quarters.quarter_end_date
            and episodes.first_known_quarter <= quarters.reporting_quarter
    group by episodes.district_code, quarters.reporting_quarter
),

told as (
    select
        district_code,
        reporting_quarter,
        ongoing
    from {{ ref('mart_outpatient_care') }}
    where
        district_basis = 'as_submitted'
        and district_code <> 'stockholm'
        and ongoing > 0
        and intervention_category = 'alla'
        and target_group = 'alla'
        and sex = 'alla'
        and age_band = 'alla'
        and provider = 'alla'
)

select
    coalesce(counted.district_code, told.district_code) as district_code,
    coalesce(counted.reporting_quarter, told.reporting_quarter) as reporting_quarter
from counted
full outer join told
    on counted.district_code = told.district_code and counted.reporting_quarter = told.reporting_quarter
where coalesce(counted.ongoing, 0) <> coalesce(told.ongoing, 0)
