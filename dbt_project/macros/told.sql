{# What a mart tells: rows numbered by their keys in every unit, and the last step that joins them to their cells. #}
{#- Rows (a CTE or a model), each once in every unit that it counts in, with the number of its keys. -#}
{% macro numbered_in_units(rows, keys) -%}
    select
        rows_counted.* exclude (district_code),
        {{ told_columns(keys) | indent(8) }}
    from {{ rows }} as rows_counted
    inner join {{ ref('dim_district_membership') }} as membership
        on rows_counted.district_code = membership.district_code
{%- endmacro %}

{#-
    The keys of the CTE `counted` by their number, and whether they ripen: the whole quarter does, not the cell, as what
    is open can still move from one cell to another. `also` are columns that have one value for the keys.
-#}
{% macro told_quarters(keys, ripening='is_ripening', also=[]) -%}
    select
        told_number,
        {{ keys | join(',\n        ') }},
        {%- for column in also %}
        min({{ column }}) as {{ column }},
        {%- endfor %}
        bool_or({{ ripening }}) as is_ripening
    from counted
    group by told_number, {{ keys | join(', ') }}
{%- endmacro %}

{#-
    The file of a row's quarter, as alias `covered`: null where the unit has none, so that only those are known whom later
    files still hold. `quarter` is the column of the row that says which.
-#}
{% macro join_quarter_covered(rows, quarter) -%}
left join {{ ref('fct_quarter_covered') }} as covered
        on
            {{ rows }}.district_code = covered.district_code
            and {{ rows }}.{{ quarter }} = covered.reporting_quarter
            and covered.dataset = 'arenden'
{%- endmacro %}

{#- The dimensions' columns from an alias. -#}
{% macro dimensions_of(alias, dimensions) -%}
    {%- for column in dimensions | sum(start=[]) -%}
    {{ alias }}.{{ column }}{{ ",\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- The alias `bases`, for a mart's last step over `told`. -#}
{% macro join_bases() -%}
inner join {{ district_bases() }}
    on told.counts_in_basis in ('both', bases.district_basis)
{%- endmacro %}

{#- The aliases `told` and `bases`, for a mart's last step over its numbered `cells`. -#}
{% macro join_told() -%}
inner join told
    on cells.told_number = told.told_number
{{ join_bases() }}
{%- endmacro %}
