{%- set breakdowns = [
    'episode_key', 'intervention_category', 'intervention_code', 'target_group', 'provider', 'sex', 'socioeconomic',
    'pilot_from_date',
] -%}

with episodes as (
    select
        episodes.*,
        {{ age_on('episodes.birth_date', 'episodes.decision_date') }} as age_at_decision,
        {{ age_on('episodes.birth_date', 'episodes.start_date') }} as age_at_start,
        {{ age_on('episodes.birth_date', 'episodes.end_date') }} as age_at_end,
        coalesce(episodes.application_date, episodes.case_received_date) as asked_date,
        coalesce(episodes.start_date, episodes.end_date, episodes.known_until_date) as waited_until_date,
        {{ dbt.dateadd('day', 90, 'episodes.decision_date') }} as decided_90_days_on,
        {{ dbt.dateadd('day', 90, 'episodes.end_date') }} as ended_90_days_on
    from {{ ref('int_episodes__in_force') }} as episodes
),

described as (
    select
        -- ids
        episodes.episode_key,
        episodes.case_key,
        episodes.person_key,
        episodes.district_code,
        episodes.last_district_code,
        coalesce(episodes.area_code, 'okand') as area_code,
        episodes.submission_id,
        episodes.source_file_sha256,
        episodes.source_row_number,

        -- quarters
        episodes.first_reporting_quarter,
        episodes.last_reporting_quarter,
        episodes.first_known_quarter,
        {{ quarter_of('episodes.decision_date') }} as decided_quarter,
        {{ quarter_of('episodes.start_date') }} as started_quarter,
        {{ quarter_of('episodes.end_date') }} as ended_quarter,

        -- strings
        coalesce(interventions.category, 'okand') as intervention_category,
        coalesce(episodes.intervention_code, 'okand') as intervention_code,
        coalesce(episodes.target_group, 'okand') as target_group,
        coalesce(episodes.provider, 'okand') as provider,
        episodes.end_reason,
        episodes.goal_attainment,
        episodes.follow_up_method,
        episodes.legal_ground,
        coalesce(episodes.sex, 'okant') as sex,
        coalesce(areas.socioeconomic, 'okand') as socioeconomic,
        {{ age_band('episodes.age_at_decision') }} as age_band_at_decision,
        {{ age_band('episodes.age_at_start') }} as age_band_at_start,
        {{ age_band('episodes.age_at_end') }} as age_band_at_end,

        -- numerics
        episodes.age_at_decision,
        episodes.age_at_start,
        episodes.age_at_end,
        episodes.session_count,
        -- an investigation that began after the decision did not lead to it
        case
            when episodes.case_investigation_start_date <= episodes.decision_date
                then {{ dbt.datediff('episodes.case_investigation_start_date', 'episodes.decision_date', 'day') }}
        end as wait_investigation_days,
        -- help that began before its decision or application has a wait of 0 days
        {{ days_waited('episodes.decision_date', 'episodes.start_date') }} as wait_to_start_days,
        {{ days_waited('episodes.asked_date', 'episodes.start_date') }} as wait_total_days,
        -- the same, those still waiting included: to the start, else the end, else the last day known
        {{ days_waited('episodes.decision_date', 'episodes.waited_until_date') }} as wait_to_start_observed_days,
        {{ days_waited('episodes.asked_date', 'episodes.waited_until_date') }} as wait_total_observed_days,

        -- booleans
        coalesce(episodes.is_followed_up, false) as is_followed_up,
        episodes.start_date is not null as is_started,
        coalesce(episodes.decided_90_days_on <= episodes.as_of_date, false) as is_due_90_days,
        coalesce(episodes.start_date > episodes.decided_90_days_on, true)
        and coalesce(episodes.end_date > episodes.decided_90_days_on, true) as is_not_started_90_days,
        coalesce(episodes.ended_90_days_on <= episodes.as_of_date, false) as is_due_follow_up,
        -- an ended episode stays in the files, which can still report a follow-up, for two quarters after its end
        coalesce(
            {{ quarter_index('(' ~ quarter_of('episodes.end_date') ~ ')') }} + 2
            > {{ quarter_index('(' ~ quarter_of('episodes.known_until_date') ~ ')') }},
            false
        ) as is_follow_up_open,
        episodes.is_linkable,
        episodes.is_birth_date_exact,
        episodes.is_open,
        episodes.is_lost,

        -- dates
        episodes.application_date,
        episodes.decision_date,
        episodes.start_date,
        episodes.end_date,
        episodes.followed_up_date,
        cast(areas.pilot_from as date) as pilot_from_date,
        episodes.as_of_date,
        episodes.known_until_date,
        episodes.submitted_at
    from episodes
    left join {{ ref('interventions') }} as interventions
        on episodes.intervention_code = interventions.intervention_code
    left join {{ ref('areas') }} as areas
        on episodes.last_district_code = areas.district_code and episodes.area_code = areas.area_code
)

select
    described.*,

    -- keys of what is counted
    {{ record_key(breakdowns + ['age_band_at_decision', pilot_or_line('decision_date')]) }} as decided_record_key,
    {{ record_key(breakdowns + ['age_band_at_start']) }} as started_record_key,
    {{ record_key(breakdowns + ['age_band_at_end', pilot_or_line('end_date')]) }} as ended_record_key
from described
