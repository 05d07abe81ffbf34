-- The mart's stock at the end of a quarter equals the episodes that have begun and not ended then, from the district's
-- first known quarter to the last one known from its files. Frozen quarters are left out: their episodes are erased.
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
    where quarters.reporting_quarter > '{{ frozen_through() }}'
    group by episodes.district_code, quarters.reporting_quarter
),

mart_stock as (
    select
        district_code,
        reporting_quarter,
        ongoing
    from {{ ref('mart_outpatient_care') }}
    where
        period_kind = 'kvartal'
        and reporting_quarter > '{{ frozen_through() }}'
        and district_basis = 'as_submitted'
        and district_code <> {{ whole_code() }}
        and ongoing > 0
        and intervention_category = 'alla'
        and target_group = 'alla'
        and sex = 'alla'
        and age_band = 'alla'
        and provider = 'alla'
        and legal_ground = 'alla'
)

select
    coalesce(counted.district_code, mart_stock.district_code) as district_code,
    coalesce(counted.reporting_quarter, mart_stock.reporting_quarter) as reporting_quarter
from counted
full outer join mart_stock
    on counted.district_code = mart_stock.district_code and counted.reporting_quarter = mart_stock.reporting_quarter
where coalesce(counted.ongoing, 0) <> coalesce(mart_stock.ongoing, 0)
