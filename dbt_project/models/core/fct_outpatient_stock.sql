with quarters as (
    select
        reporting_quarter,
        quarter_end_date
    from {{ ref('dim_quarter') }}
),

-- an episode is in a quarter's stock if it was decided or begun by the quarter's last day and had not ended then
stock as (
    select
        episodes.episode_key,
        episodes.district_code,
        coalesce(episodes.intervention_code, 'okand') as intervention_code,
        coalesce(episodes.target_group, 'okand') as target_group,
        coalesce(episodes.provider, 'okand') as provider,
        coalesce(episodes.sex, 'okant') as sex,
        quarters.reporting_quarter,
        quarters.quarter_end_date,
        episodes.start_date,
        {{ age_on('episodes.birth_date', 'quarters.quarter_end_date') }} as age_at_quarter_end
    from {{ ref('int_episodes__in_force') }} as episodes
    inner join quarters
        on
            episodes.known_until_date >= quarters.quarter_end_date
            and episodes.first_known_quarter <= quarters.reporting_quarter
            and coalesce(episodes.end_date, date '9999-12-31') > quarters.quarter_end_date
            and (
                episodes.decision_date <= quarters.quarter_end_date
                or episodes.start_date <= quarters.quarter_end_date
            )
)

select
    episode_key || '|' || reporting_quarter as stock_key,
    episode_key,
    district_code,
    reporting_quarter,
    {{ age_band('age_at_quarter_end') }} as age_band_at_quarter_end,
    coalesce(start_date <= quarter_end_date, false) as is_ongoing,
    coalesce(start_date > quarter_end_date, true) as is_waiting,
    quarter_end_date,
    -- the quarter is not in it: an episode that goes on for a year is drawn once, not four times
    {{ record_key([
        'episode_key', 'intervention_code', 'target_group', 'provider', 'sex', age_band('age_at_quarter_end'),
    ]) }} as record_key
from stock
