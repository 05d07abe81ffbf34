{#- How complete the files are that a mart's row rests on. `rows` is the alias of the mart's last step, with `is_year`. -#}

{#- Completeness of one dataset, as alias `completeness`; `basis` is the column that holds the row's division. -#}
{% macro join_completeness(rows, dataset, basis='bases.district_basis') -%}
{{ join_completeness_by_column(rows, "'" ~ dataset ~ "'", basis) }}
{%- endmacro %}

{#- The same where a column holds the row's dataset. -#}
{% macro join_completeness_by_column(rows, dataset_column, basis='bases.district_basis') -%}
left join {{ ref('fct_completeness') }} as completeness
    on
        {{ rows }}.district_code = completeness.district_code
        and {{ basis }} = completeness.district_basis
        and {{ rows }}.reporting_quarter = completeness.reporting_quarter
        and {{ rows }}.is_year = completeness.is_year
        and completeness.dataset = {{ dataset_column }}
{%- endmacro %}

{#- The same where the mart rests on several datasets: a district is in force when all its files are. -#}
{% macro join_mart_completeness(rows, mart) -%}
left join {{ ref('fct_mart_completeness') }} as completeness
    on
        {{ rows }}.district_code = completeness.district_code
        and bases.district_basis = completeness.district_basis
        and {{ rows }}.reporting_quarter = completeness.reporting_quarter
        and {{ rows }}.is_year = completeness.is_year
        and completeness.mart = '{{ mart }}'
{%- endmacro %}

{#-
    The CTE `in_years`: completeness of quarters (the CTE `quarterly`) with that of years. Districts are those of the quarter
    with most files missing; late files and open queries are summed.
-#}
{% macro completeness_in_years(key) -%}
in_years as (
    select
        *,
        false as is_year
    from quarterly

    union all

    select
        quarterly.district_code,
        quarterly.district_basis,
        quarterly.{{ key }},
        years.reporting_quarter,
        cast(sum(quarterly.quarters_in_force) as integer) as quarters_in_force,
        {%- for column in ['districts_in_force', 'districts_expected'] %}
        {{ value_at_least(
            'quarterly.' ~ column,
            '(quarterly.districts_in_force - quarterly.districts_expected) * 100000 + '
            ~ quarter_index('quarterly.reporting_quarter')
        ) }} as {{ column }},
        {%- endfor %}
        cast(sum(quarterly.late) as integer) as late,
        cast(sum(quarterly.open_queries) as integer) as open_queries,
        true as is_year
    from quarterly
    inner join {{ ref('dim_period_quarter') }} as years
        on quarterly.reporting_quarter = years.member_quarter
    group by quarterly.district_code, quarterly.district_basis, quarterly.{{ key }}, years.reporting_quarter
)
{%- endmacro %}

{#- The columns that every mart has, from the alias `completeness`. -#}
{% macro completeness_columns() -%}
    {%- for column in ['quarters_in_force', 'districts_in_force', 'districts_expected', 'late', 'open_queries'] -%}
    coalesce(completeness.{{ column }}, 0) as {{ column }}{{ ",\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
