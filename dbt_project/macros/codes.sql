{#- The target of a group, an offer or a routine. `alla` in the files means everyone; in a mart it would be the total. -#}
{% macro directed_at(column) -%}
    case when {{ column }} = 'alla' then 'generell' else coalesce({{ column }}, 'okand') end
{%- endmacro %}

{#- The distinct codes in a column of codes with `|` between, over the rows that pass `condition`, in order. -#}
{% macro distinct_codes(column, condition) -%}
    {{ adapter.dispatch('distinct_codes', 'followup')(column, condition) }}
{%- endmacro %}

{% macro duckdb__distinct_codes(column, condition) -%}
    nullif(array_to_string(list_sort(list_distinct(flatten(
        list(string_split({{ column }}, '|')) filter (where {{ condition }} and {{ column }} is not null)
    ))), '|'), '')
{%- endmacro %}
