-- the last four quarters of each unit with a file for the newest of them; predecessors' quarters are included
with windows as (
    select
        status.district_code,
        status.reporting_quarter,
        related.ancestor_code as reporting_code,
        earlier.reporting_quarter as window_quarter
    from {{ ref('int_submissions__expected') }} as status
    inner join {{ ref('dim_quarter') }} as quarters
        on status.reporting_quarter = quarters.reporting_quarter
    inner join {{ ref('dim_quarter') }} as earlier
        on earlier.sort_order between quarters.sort_order - 3 and quarters.sort_order
    inner join {{ ref('int_districts__related') }} as related
        on status.district_code = related.descendant_code
    where status.dataset = 'serviceinsatser' and status.is_in_force
),

-- only the years without a missing file
whole as (
    select
        windows.district_code,
        windows.reporting_quarter
    from windows
    left join {{ ref('int_submissions__expected') }} as status
        on
            windows.reporting_code = status.district_code
            and windows.window_quarter = status.reporting_quarter
            and status.dataset = 'serviceinsatser'
    group by windows.district_code, windows.reporting_quarter
    having
        count(distinct windows.window_quarter) filter (where status.is_in_force) = 4
        and not coalesce(bool_or(status.is_expected and not status.is_in_force), false)
),

participations as (
    select
        whole.district_code,
        whole.reporting_quarter,
        -- by age; where age is unknown, by the intervention's target group
        case
            when services.age_band = 'vuxen' then 'foralder'
            when services.age_band = 'okand' and services.target_group = 'foralder' then 'foralder'
            else 'barn'
        end as participant_kind,
        case when services.age_band = 'vuxen' then 'alla' else services.age_band end as age_band,
        services.started_count
    from whole
    inner join windows
        on
            whole.district_code = windows.district_code
            and whole.reporting_quarter = windows.reporting_quarter
    inner join {{ ref('int_services__in_force') }} as services
        on
            windows.reporting_code = services.district_code
            and windows.window_quarter = services.reporting_quarter
),

bands as (
    select
        'barn' as participant_kind,
        bands.age_band
    from (values ('0-5'), ('6-12'), ('13-17'), ('18-20'), ('okand')) as bands (age_band)

    union all

    select
        'foralder' as participant_kind,
        'alla' as age_band
),

summed as (
    select
        district_code,
        reporting_quarter,
        participant_kind,
        case when participant_kind = 'foralder' then 'alla' else age_band end as age_band,
        sum(started_count) as participations
    from participations
    group by
        district_code,
        reporting_quarter,
        participant_kind,
        case when participant_kind = 'foralder' then 'alla' else age_band end
),

inhabitants as (
    select
        district_code,
        reporting_quarter,
        'barn' as participant_kind,
        age_band,
        inhabitants
    from {{ ref('int_population__merged') }}
    where age_band <> 'vuxen'

    union all

    -- the denominator for parents is all children under 18
    select
        district_code,
        reporting_quarter,
        'foralder' as participant_kind,
        'alla' as age_band,
        sum(inhabitants) as inhabitants
    from {{ ref('int_population__merged') }}
    where age_band in ('0-5', '6-12', '13-17')
    group by district_code, reporting_quarter
)

select
    whole.district_code,
    whole.reporting_quarter,
    bands.participant_kind,
    bands.age_band,
    cast(coalesce(summed.participations, 0) as integer) as participations,
    cast(coalesce(inhabitants.inhabitants, 0) as integer) as inhabitants
from whole
cross join bands
left join summed
    on
        whole.district_code = summed.district_code
        and whole.reporting_quarter = summed.reporting_quarter
        and bands.participant_kind = summed.participant_kind
        and bands.age_band = summed.age_band
left join inhabitants
    on
        whole.district_code = inhabitants.district_code
        and whole.reporting_quarter = inhabitants.reporting_quarter
        and bands.participant_kind = inhabitants.participant_kind
        and bands.age_band = inhabitants.age_band
