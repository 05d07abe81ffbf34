{{ config(materialized='view') }}

{#- Measures that are also indicators of cases and episodes, with the indicator's code: counted in the same way. -#}
{%- set shared_indicators = {
    'not_started_90_days_rate': 'not_started_90_days_rate',
    'assessed_follow_up_rate': 'follow_up_rate',
    'school_contacted_rate': 'school_contacted_rate',
    'within_60_days_rate': 'within_60_days_rate',
    're_referral_rate_365': 're_referral_rate_365',
    'acceptance_rate': 'acceptance_rate',
    'completion_rate': 'completion_rate',
} -%}

-- measures from single cases and episodes
with
{% for measure, code in shared_indicators.items() -%}
{%- set cohort = cohorts()[indicators()[code].cohort_basis] -%}
{{ measure }} as (
    select
        '{{ measure }}' as measure,
        facts.district_code,
        facts.{{ cohort.quarter }} as reporting_quarter,
        {{ indicator_columns(code) | indent(8) }}
    from {{ ref(cohort.fact) }} as facts
    left join {{ ref('fct_quarter_covered') }} as covered
        on
            facts.district_code = covered.district_code
            and facts.{{ cohort.quarter }} = covered.reporting_quarter
            and covered.dataset = '{{ cohort.dataset }}'
    where
        facts.{{ cohort.quarter }} is not null
        and not {{ is_before_first_file(cohort) }}
        -- without the quarter's file of cases only those that later files still hold are known: no measure
        and (covered.district_code is not null or '{{ cohort.dataset }}' <> 'arenden')
    group by facts.district_code, facts.{{ cohort.quarter }}
),

{% endfor -%}
goal_assessed as (
    select
        'goal_assessed_rate' as measure,
        district_code,
        ended_quarter as reporting_quarter,
        {{ count_where("goal_attainment <> 'ej_bedomd'") }} as numerator,
        count(*) as denominator,
        bool_or(is_follow_up_open) as is_ripening
    from {{ ref('fct_outpatient_episode') }}
    where ended_quarter >= first_known_quarter and end_reason <> 'ej_paborjad'
    group by district_code, ended_quarter
),

measures as (
    {%- for measure, code in shared_indicators.items() %}
    select
        measure,
        district_code,
        reporting_quarter,
        {{ code }}_numerator as numerator,
        {{ code }}_denominator as denominator,
        {{ code }}_is_ripening as is_ripening
    from {{ measure }}
    union all
    {%- endfor %}
    select * from goal_assessed
)

select
    measure,
    district_code,
    reporting_quarter,
    cast(numerator as double) as numerator,
    cast(denominator as double) as denominator,
    is_ripening
from measures
