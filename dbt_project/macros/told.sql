{# What a mart tells: rows numbered by their keys in every unit, and the last step that joins them to their cells. #}
{#-
    Where the rows of a CTE or a model count: their unit and keys (`reporting_code`, the rest of `keys`) with each unit
    that these count in, and `told_number`, a small number for each combination of the mart's keys, so that many cuts are
    grouped by one number instead of several texts.
-#}
{% macro places_of(rows, keys) -%}
    select
        rows_placed.district_code as reporting_code,
        {%- for key in keys[2:] %}
        rows_placed.{{ key }},
        {%- endfor %}
        membership.counts_in_code as district_code,
        membership.counts_in_basis,
        dense_rank() over (
            order by
                membership.counts_in_code,
                membership.counts_in_basis,
                rows_placed.{{ keys[2:] | join(',\n                rows_placed.') }}
        ) as told_number
    from (
        select distinct
            district_code,
            {{ keys[2:] | join(',\n            ') }}
        from {{ rows }}
    ) as rows_placed
    inner join {{ ref('dim_district_membership') }} as membership
        on rows_placed.district_code = membership.district_code
{%- endmacro %}

{#- The condition on which a row of an alias counts in a place of the alias `places`. -#}
{% macro counts_in_place(rows, keys) -%}
{{ rows }}.district_code = places.reporting_code
    {%- for key in keys[2:] %}
            and {{ rows }}.{{ key }} = places.{{ key }}
    {%- endfor %}
{%- endmacro %}

{#- Rows (a CTE or a model), each once in every unit that it counts in, with the number of its keys. -#}
{% macro numbered_in_units(rows, keys) -%}
    select
        rows_counted.* exclude (district_code),
        places.reporting_code,
        places.district_code,
        places.counts_in_basis,
        places.told_number
    from {{ rows }} as rows_counted
    inner join (
        {{ places_of(rows, keys) | indent(4) }}
    ) as places
        on
            {{ counts_in_place('rows_counted', keys) }}
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
