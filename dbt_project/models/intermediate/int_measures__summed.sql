{{ config(materialized='view') }}

{%- set bands = [
    'waited_0_7_days_count', 'waited_8_14_days_count', 'waited_15_30_days_count', 'waited_31_90_days_count',
    'waited_over_90_days_count',
] -%}
{#- Measures that are also indicators of cases and episodes, with the indicator's code: counted in the same way. -#}
{%- set shared_indicators = {
    'not_started_90_days_rate': 'not_started_90_days_rate',
    'assessed_follow_up_rate': 'follow_up_rate',
    'school_contacted_rate': 'school_contacted_rate',
} -%}

-- Each measure's sums for one unit and quarter. They are not divided here, so that units can be added up first.

-- 1. Waiting: means from sums of days, grouped medians from bands
with waits as (
    select
        wait_kind,
        district_code,
        reporting_quarter,
        sum(wait_sum_days) as wait_sum_days,
        sum(wait_summed_count) as wait_summed_count,
        -- the spread is exact where each wait is reported, else it is computed from the bands
        sum(cast(wait_days as double) * wait_days) as square_sum,
        {%- for band in bands %}
        sum({{ band }}) as {{ band }},
        {%- endfor %}
        sum(wait_known_count) as wait_known_count
    from {{ ref('fct_wait') }}
    where wait_known_count > 0 or wait_summed_count > 0
    group by wait_kind, district_code, reporting_quarter
),

waited as (
    select
        wait_kind || '_wait_mean' as measure,
        district_code,
        reporting_quarter,
        wait_sum_days as numerator,
        wait_summed_count as denominator,
        square_sum,
        {{ bands | join(',\n        ') }}
    from waits

    union all

    select
        wait_kind || '_wait_grouped_median' as measure,
        district_code,
        reporting_quarter,
        0 as numerator,
        wait_known_count as denominator,
        null as square_sum,
        {{ bands | join(',\n        ') }}
    from waits
    where wait_kind <> 'parenting_programme'
),

-- 2. Indicators of cases and assessed care
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

-- 3. Service interventions
service_followed_up as (
    select
        'service_follow_up_rate' as measure,
        district_code,
        reporting_quarter,
        sum(followed_up_count) as numerator,
        sum(completed_count + interrupted_count) as denominator,
        false as is_ripening
    from {{ ref('fct_service_intervention') }}
    group by district_code, reporting_quarter
),

-- 4. Supply: what each unit with a file in force offers
in_force as (
    select distinct
        district_code,
        reporting_quarter,
        dataset
    from {{ ref('fct_submission') }}
    where is_in_force
),

catalogue as (
    -- an intervention that only one district has can't be offered by the others
    select count(*) as interventions
    from {{ ref('dim_intervention') }}
    where intervention_code <> 'annan_lokal'
),

offered as (
    select
        in_force.district_code,
        in_force.reporting_quarter,
        count(distinct supply.intervention_code) as interventions,
        count(distinct supply.intervention_code) filter (where supply.form = 'service') as as_service,
        count(distinct supply.intervention_code) filter (where supply.intervention_code <> 'annan_lokal')
            as of_catalogue,
        count(supply.supply_key) as supply_rows,
        {{ count_where('coalesce(supply.web_age_days <= 365, false)') }} as web_within_year,
        {{ count_where("supply.form = 'service' and supply.intervention_category = 'ovrigt_foraldrastod'") }}
            as talks,
        {{ count_where(
            "supply.form = 'service' and supply.intervention_category = 'ovrigt_foraldrastod'"
            " and supply.session_limit is null"
        ) }} as talks_without_limit
    from in_force
    left join {{ ref('fct_supply') }} as supply
        on
            in_force.district_code = supply.district_code
            and in_force.reporting_quarter = supply.reporting_quarter
            and supply.supply_status = 'erbjuds'
    where in_force.dataset = 'utbud'
    group by in_force.district_code, in_force.reporting_quarter
),

supplied as (
    {%- for measure, numerator, denominator in [
        ('offered_as_service_rate', 'as_service', 'interventions'),
        ('no_session_limit_rate', 'talks_without_limit', 'talks'),
        ('web_within_year_rate', 'web_within_year', 'supply_rows'),
    ] %}
    select
        '{{ measure }}' as measure,
        district_code,
        reporting_quarter,
        {{ numerator }} as numerator,
        {{ denominator }} as denominator,
        false as is_ripening
    from offered

    union all
    {% endfor %}
    select
        'catalogue_offered_rate' as measure,
        offered.district_code,
        offered.reporting_quarter,
        offered.of_catalogue as numerator,
        catalogue.interventions as denominator,
        false as is_ripening
    from offered
    cross join catalogue
),

-- 5. Participations per 1,000 inhabitants, over four quarters
participated as (
    select
        case
            when participant_kind = 'foralder' then 'parents_per_1000'
            else 'participants_per_1000_' || replace(age_band, '-', '_')
        end as measure,
        district_code,
        reporting_quarter,
        participations as numerator,
        inhabitants as denominator,
        false as is_ripening
    from {{ ref('fct_participation') }}
    where age_band <> 'okand'

    union all

    select
        'participants_per_1000' as measure,
        district_code,
        reporting_quarter,
        sum(participations) as numerator,
        sum(inhabitants) as denominator,
        false as is_ripening
    from {{ ref('fct_participation') }}
    where participant_kind = 'barn'
    group by district_code, reporting_quarter
),

-- 6. Activities per 1,000 children
children as (
    select
        district_code,
        reporting_quarter,
        sum(inhabitants) as inhabitants
    from {{ ref('int_population__merged') }}
    where age_band <> 'vuxen'
    group by district_code, reporting_quarter
),

activities as (
    select
        kinds.measure,
        in_force.district_code,
        in_force.reporting_quarter,
        count(activities.activity_key) as numerator,
        max(coalesce(children.inhabitants, 0)) as denominator,
        false as is_ripening
    from in_force
    cross join (
        values
        ('information_activities_per_1000', 'information'),
        ('collaboration_activities_per_1000', 'samverkan')
    ) as kinds (measure, activity_type)
    left join {{ ref('fct_activity') }} as activities
        on
            in_force.district_code = activities.district_code
            and in_force.reporting_quarter = activities.reporting_quarter
            and kinds.activity_type = activities.activity_type
    left join children
        on
            in_force.district_code = children.district_code
            and in_force.reporting_quarter = children.reporting_quarter
    where in_force.dataset = 'aktiviteter'
    group by kinds.measure, in_force.district_code, in_force.reporting_quarter
),

-- 7. Groups open to other districts
open_groups as (
    select
        'groups_open_rate' as measure,
        district_code,
        reporting_quarter,
        {{ count_where('is_open_to_others') }} as numerator,
        count(*) as denominator,
        false as is_ripening
    from {{ ref('fct_group_quarter') }}
    where group_status in ('planerad', 'startad')
    group by district_code, reporting_quarter
),

-- 8. All that are not waits, in the same columns
other_measures as (
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
    union all
    select * from service_followed_up
    union all
    select * from supplied
    union all
    select * from participated
    union all
    select * from activities
    union all
    select * from open_groups
)

select
    waited.measure,
    waited.district_code,
    waited.reporting_quarter,
    cast(waited.numerator as double) as numerator,
    cast(waited.denominator as double) as denominator,
    waited.square_sum,
    waited.{{ bands | join(',\n    waited.') }},
    -- without the quarter's own file, only the waits that later files report are known
    covered.district_code is null as is_ripening
from waited
inner join {{ ref('equity_measures') }} as measures
    on waited.measure = measures.measure
left join {{ ref('fct_quarter_covered') }} as covered
    on
        waited.district_code = covered.district_code
        and waited.reporting_quarter = covered.reporting_quarter
        and measures.dataset = covered.dataset

union all

select
    measure,
    district_code,
    reporting_quarter,
    cast(numerator as double) as numerator,
    cast(denominator as double) as denominator,
    cast(null as double) as square_sum,
    {%- for band in bands %}
    0 as {{ band }},
    {%- endfor %}
    is_ripening
from other_measures
