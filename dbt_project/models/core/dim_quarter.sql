with months as (
    select cast(month_start as date) as quarter_start_date
    from {{ date_series('interval 3 month', 'month_start') }}
),

quarters as (
    select
        {{ quarter_of('quarter_start_date') }} as reporting_quarter,
        quarter_start_date
    from months
)

select
    reporting_quarter,
    left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label,
    cast(left(reporting_quarter, 4) as integer) as calendar_year,
    cast(right(reporting_quarter, 1) as integer) as quarter_number,
    {{ quarter_index('reporting_quarter') }} as sort_order,
    quarter_start_date,
    {{ quarter_end('reporting_quarter') }} as quarter_end_date,
    cast({{ quarter_end('reporting_quarter') }} + interval 20 day as date) as deadline_date
from quarters
