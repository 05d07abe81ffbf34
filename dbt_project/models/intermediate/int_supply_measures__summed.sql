{{ config(materialized='view') }}

-- Measures from what a unit offers and does. A unit whose file is in force and lists nothing has zeros; a unit without
-- a file has no row.
with in_force as (
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

measures as (
    select * from supplied
    union all
    select * from activities
)

select
    measure,
    district_code,
    reporting_quarter,
    cast(numerator as double) as numerator,
    cast(denominator as double) as denominator,
    is_ripening
from measures
