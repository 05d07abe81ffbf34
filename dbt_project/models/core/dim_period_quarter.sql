-- only years whose quarters have all been reported by somebody
with reported as (
    select
        min(reporting_quarter) as first_quarter,
        max(reporting_quarter) as last_quarter
    from {{ ref('fct_submission') }}
    where is_in_force
)

select
    years.reporting_quarter || '|' || members.reporting_quarter as period_quarter_key,
    years.reporting_quarter,
    members.reporting_quarter as member_quarter,
    years.reporting_quarter = members.reporting_quarter as is_last_quarter
from {{ ref('dim_quarter') }} as years
inner join {{ ref('dim_quarter') }} as members
    on members.sort_order between years.sort_order - 3 and years.sort_order
inner join reported
    on
        years.reporting_quarter <= reported.last_quarter
        and years.sort_order - 3 >= {{ quarter_index('reported.first_quarter') }}
