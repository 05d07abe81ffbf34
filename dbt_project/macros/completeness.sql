{#- How complete the files are that a mart's row rests on. `rows` is the alias of the mart's last step. -#}

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
        and completeness.dataset = {{ dataset_column }}
{%- endmacro %}

{#- The same where the mart rests on several datasets: a district is in force when all its files are. -#}
{% macro join_mart_completeness(rows, mart) -%}
left join {{ ref('fct_mart_completeness') }} as completeness
    on
        {{ rows }}.district_code = completeness.district_code
        and bases.district_basis = completeness.district_basis
        and {{ rows }}.reporting_quarter = completeness.reporting_quarter
        and completeness.mart = '{{ mart }}'
{%- endmacro %}

{#- The columns that every mart has, from the alias `completeness`. -#}
{% macro completeness_columns() -%}
    {%- for column in ['districts_in_force', 'districts_expected', 'late', 'open_queries'] -%}
    coalesce(completeness.{{ column }}, 0) as {{ column }}{{ ",\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
