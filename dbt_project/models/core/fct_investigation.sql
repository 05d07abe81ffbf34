{%- set breakdowns = [
    'case_key', 'reason_side', 'sex', 'age_band_at_start', 'socioeconomic', 'pilot_from_date',
    pilot_or_line('investigation_start_date'),
] -%}

with cases as (
    select
        *,
        {{ dbt.dateadd('day', 60, 'investigation_start_date') }} as due_60_days_date,
        greatest(
            cast({{ dbt.dateadd('month', 4, 'investigation_start_date') }} as date),
            coalesce(investigation_extended_to_date, investigation_start_date)
        ) as due_4_months_date
    from {{ ref('fct_case') }}
    where is_investigated and investigation_start_date is not null
),

described as (
    select
        -- ids
        cases.case_key,
        cases.person_key,
        cases.district_code,
        cases.last_district_code,
        cases.area_code,
        followed.return_case_key,

        -- quarters
        cases.started_quarter,
        cases.concluded_quarter,

        -- strings
        cases.referral_type,
        cases.source_code,
        cases.reason_side,
        cases.reason_code,
        cases.intervention_category,
        cases.intervention_code,
        case
            when not cases.is_offered then 'ej_erbjuden'
            when cases.is_accepted then 'tackat_ja'
            when cases.is_answered then 'tackat_nej'
            else 'vantar'
        end as offer_outcome,
        case when cases.is_child_heard then 'ja' else 'nej' end as child_heard_answer,
        cases.history,
        cases.sex,
        cases.socioeconomic,
        cases.age_band_at_start,
        cases.age_band_at_conclusion,
        case
            when {{ is_returned_in_any_period('followed') }} then coalesce(return_cases.reason_side, 'okand')
            else 'ingen'
        end as return_reason_side,
        case
            when {{ is_returned_in_any_period('followed') }} then coalesce(return_cases.reason_code, 'okand')
            else 'ingen'
        end as return_reason_code,

        -- numerics: days to the conclusion, or to the as-of date while it is open
        greatest(
            {{ dbt.datediff('cases.investigation_start_date',
                'coalesce(cases.investigation_end_date, cases.as_of_date)', 'day') }}, 0
        ) as observed_days,
        case
            when followed.return_date is not null
                then {{ dbt.datediff('cases.investigation_end_date', 'followed.return_date', 'day') }}
        end as return_days,

        -- booleans
        cases.is_concluded,
        cases.is_offered,
        cases.is_answered,
        cases.is_accepted,
        cases.is_child_heard,
        cases.is_school_contacted,
        cases.is_linkable,
        cases.is_lost,
        cases.is_ripening,
        cases.has_earlier_investigation,
        -- only an unborn child has no age: it is under 18
        coalesce(cases.age_at_start, 0) < 18 as is_under_18_at_start,
        coalesce(cases.age_at_start, 0) between 18 and 20 as is_18_20_at_start,
        cases.due_60_days_date <= cases.as_of_date as is_due_60_days,
        coalesce(cases.investigation_end_date <= cases.due_60_days_date, false) as is_within_60_days,
        cases.due_4_months_date <= cases.as_of_date as is_due_4_months,
        coalesce(cases.investigation_end_date <= cases.due_4_months_date, false) as is_within_4_months,
        coalesce(followed.is_transferred, false) as is_transferred,
        {%- for days in follow_up_days() %}
        coalesce(followed.is_followed_{{ days }}, false) as is_followed_{{ days }},
        coalesce(followed.is_awaited_{{ days }}, false) as is_awaited_{{ days }},
        coalesce(followed.is_returned_{{ days }}, false) as is_returned_{{ days }},
        {%- endfor %}

        -- dates
        cases.investigation_start_date,
        cast(cases.due_60_days_date as date) as due_60_days_date,
        cases.due_4_months_date,
        cases.investigation_end_date,
        followed.other_investigation_start_date,
        followed.next_investigation_start_date,
        followed.return_date,
        followed.followed_until_date,
        cases.pilot_from_date,
        cases.as_of_date,

        -- the key of the case as a concluded one
        cases.concluded_record_key
    from cases
    left join {{ ref('int_investigations__followed') }} as followed
        on cases.case_key = followed.case_key
    left join {{ ref('fct_case') }} as return_cases
        on followed.return_case_key = return_cases.case_key
)

select
    described.*,

    -- keys of what is counted
    {{ record_key(breakdowns) }} as started_record_key,
    {{ record_key(['concluded_record_key', 'return_reason_side', 'return_reason_code']) }} as return_record_key
from described
