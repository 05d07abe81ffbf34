with periods as (
    select
        quarters.*,
        kinds.period_kind,
        kinds.kind_order,
        case
            when kinds.period_kind = 'ar' then cast(quarters.calendar_year as {{ text_type() }})
            else quarters.reporting_quarter
        end as period
    from {{ ref('dim_quarter') }} as quarters
    cross join (values ('kvartal', 1), ('rullande_ar', 2), ('ar', 3)) as kinds (period_kind, kind_order)
    where kinds.period_kind <> 'ar' or quarters.quarter_number = 4
)

select
    period_kind || '|' || period as period_key,
    period_kind,
    period,
    reporting_quarter,
    case period_kind
        when 'kvartal' then quarter_label
        when 'rullande_ar' then 'Fyra kvartal till och med ' || quarter_label
        else cast(calendar_year as {{ text_type() }})
    end as period_label,
    case period_kind when 'kvartal' then 'Kvartal' when 'rullande_ar' then 'Rullande år' else 'Kalenderår' end
        as period_kind_label,
    cast(sort_order * 3 + kind_order as integer) as sort_order,
    cast(case when period_kind = 'kvartal' then 1 else 4 end as integer) as quarters,
    cast(
        case when period_kind = 'kvartal' then quarter_start_date else quarter_start_date - interval 9 month end as date
    ) as period_start_date,
    quarter_end_date as period_end_date
from periods
