{{ config(materialized='view') }}

-- measures from counts of participants and groups
with service_followed_up as (
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

measures as (
    select * from service_followed_up
    union all
    select * from participated
    union all
    select * from open_groups
)

select
    measure,
    district_code,
    reporting_quarter,
    cast(numerator as double) as numerator,
    cast(denominator as double) as denominator,
    is_ripening
from measures
