{#- The marts that rest on several datasets. For these a district is in force when all its files are. -#}
{%- set rests_on = {
    'mart_support_groups': ['grupper', 'utbud', 'rutiner'],
    'mart_intervention_chain': ['arenden', 'oppenvard'],
} -%}

with district_files as (
    {%- for mart, datasets in rests_on.items() %}
    select
        assigned.district_code,
        assigned.district_basis,
        '{{ mart }}' as mart,
        status.reporting_quarter,
        status.district_code as reporting_code,
        status.is_expected,
        status.is_in_force,
        status.is_on_time,
        status.open_query_count,
        count(*) filter (where status.is_in_force) over (
            partition by
                assigned.district_code,
                assigned.district_basis,
                status.reporting_quarter,
                status.district_code
        ) = {{ datasets | length }} as is_whole
    from {{ ref('int_reporting_units__assigned') }} as assigned
    inner join {{ ref('int_submissions__expected') }} as status
        on assigned.reporting_code = status.district_code
    where status.dataset in ('{{ datasets | join("', '") }}')
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

quarterly as (
    select
        district_code,
        district_basis,
        mart,
        reporting_quarter,
        cast(coalesce(bool_or(is_in_force and is_whole), false) as integer) as quarters_in_force,
        cast(count(distinct reporting_code) filter (where is_expected and is_whole) as integer) as districts_in_force,
        cast(count(distinct reporting_code) filter (where is_expected) as integer) as districts_expected,
        {{ count_where('is_in_force and not is_on_time') }} as late,
        {{ sum_of('open_query_count') }} as open_queries
    from district_files
    group by district_code, district_basis, reporting_quarter, mart
),

{{ completeness_in_years('mart') }}

select
    district_code || '|' || district_basis || '|' || reporting_quarter || case when is_year then '|ar|' else '|' end
    || mart as completeness_key,
    district_code,
    district_basis,
    reporting_quarter,
    is_year,
    mart,
    quarters_in_force,
    districts_in_force,
    districts_expected,
    late,
    open_queries
from in_years
