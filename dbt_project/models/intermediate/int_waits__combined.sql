{{ config(materialized='view') }}

{%- set counts = [
    'wait_known_count', 'wait_summed_count', 'wait_sum_days', 'waited_0_7_days_count', 'waited_8_14_days_count',
    'waited_15_30_days_count', 'waited_31_90_days_count', 'waited_over_90_days_count',
] %}

with service as (
    select
        'service' as wait_kind,
        service_key as source_key,
        district_code,
        reporting_quarter,
        intervention_category,
        intervention_code,
        {{ counts | join(',\n        ') }},
        queue_count,
        record_key
    from {{ ref('fct_service_intervention') }}
),

youth_clinic as (
    select
        'youth_clinic' as wait_kind,
        clinic_key as source_key,
        district_code,
        reporting_quarter,
        'ingen' as intervention_category,
        'ingen' as intervention_code,
        {{ counts | join(',\n        ') }},
        0 as queue_count,
        record_key
    from {{ ref('fct_youth_clinic') }}
),

-- groups report a sum of days, not bands: only a mean can be computed
parenting_programme as (
    select
        'parenting_programme' as wait_kind,
        group_key as source_key,
        district_code,
        started_quarter as reporting_quarter,
        intervention_category,
        intervention_code,
        0 as wait_known_count,
        case when wait_sum_days is not null then participant_count else 0 end as wait_summed_count,
        case when participant_count > 0 then coalesce(wait_sum_days, 0) else 0 end as wait_sum_days,
        0 as waited_0_7_days_count,
        0 as waited_8_14_days_count,
        0 as waited_15_30_days_count,
        0 as waited_31_90_days_count,
        0 as waited_over_90_days_count,
        0 as queue_count,
        record_key
    from {{ ref('fct_group') }}
    where
        is_started
        and intervention_category = 'foraldrautbildning'
        and started_quarter >= first_known_quarter
),

parenting_queue as (
    select
        'parenting_programme' as wait_kind,
        group_quarter_key as source_key,
        district_code,
        reporting_quarter,
        intervention_category,
        intervention_code,
        0 as wait_known_count,
        0 as wait_summed_count,
        0 as wait_sum_days,
        0 as waited_0_7_days_count,
        0 as waited_8_14_days_count,
        0 as waited_15_30_days_count,
        0 as waited_31_90_days_count,
        0 as waited_over_90_days_count,
        queue_count,
        record_key
    from {{ ref('fct_group_quarter') }}
    where intervention_category = 'foraldrautbildning' and queue_count > 0
),

reported_counts as (
    select * from service
    union all
    select * from youth_clinic
    union all
    select * from parenting_programme
    union all
    select * from parenting_queue
),

-- assessed care has one row per wait: the days themselves, and the same bands
assessed as (
    select
        'assessed' as wait_kind,
        episode_key as source_key,
        district_code,
        started_quarter as reporting_quarter,
        intervention_category,
        intervention_code,
        wait_total_days as wait_days,
        0 as queue_count,
        started_record_key as record_key
    from {{ ref('fct_outpatient_episode') }}
    where started_quarter >= first_known_quarter and wait_total_days is not null

    union all

    select
        'assessed' as wait_kind,
        stock.stock_key as source_key,
        stock.district_code,
        stock.reporting_quarter,
        episodes.intervention_category,
        episodes.intervention_code,
        null as wait_days,
        1 as queue_count,
        stock.record_key
    from {{ ref('fct_outpatient_stock') }} as stock
    inner join {{ ref('fct_outpatient_episode') }} as episodes
        on stock.episode_key = episodes.episode_key
    where stock.is_waiting
)

select
    wait_kind,
    source_key,
    district_code,
    reporting_quarter,
    intervention_category,
    intervention_code,
    cast(null as integer) as wait_days,
    {{ counts | join(',\n    ') }},
    queue_count,
    record_key
from reported_counts

union all

select
    wait_kind,
    source_key,
    district_code,
    reporting_quarter,
    intervention_category,
    intervention_code,
    wait_days,
    case when wait_days is not null then 1 else 0 end as wait_known_count,
    case when wait_days is not null then 1 else 0 end as wait_summed_count,
    coalesce(wait_days, 0) as wait_sum_days,
    case when wait_days between 0 and 7 then 1 else 0 end as waited_0_7_days_count,
    case when wait_days between 8 and 14 then 1 else 0 end as waited_8_14_days_count,
    case when wait_days between 15 and 30 then 1 else 0 end as waited_15_30_days_count,
    case when wait_days between 31 and 90 then 1 else 0 end as waited_31_90_days_count,
    case when wait_days > 90 then 1 else 0 end as waited_over_90_days_count,
    queue_count,
    record_key
from assessed
