{#-
    What the engines write differently and the models need, by a name of its own. Here is how DuckDB writes it, and
    macros/engine_spark.sql has how Spark does (ADR 0087). Macros of other files that the engines write differently are
    dispatched too: `quantile`, `record_key` and so on.
-#}

{#- All columns of an alias but these. -#}
{% macro star_except(alias, columns) -%}
    {{ adapter.dispatch('star_except', 'followup')(alias, columns) }}
{%- endmacro %}

{% macro default__star_except(alias, columns) -%}
    {{ alias }}.* exclude ({{ columns | join(', ') }})
{%- endmacro %}

{#- Columns of `star_replaced` as they are, for the other half of a union with it: the columns are in the same order. -#}
{% macro star_unreplaced(alias, columns) -%}
    {{ adapter.dispatch('star_unreplaced', 'followup')(alias, columns) }}
{%- endmacro %}

{% macro default__star_unreplaced(alias, columns) -%}
    {{ alias ~ '.*' if alias else '*' }}
{%- endmacro %}

{#- All columns of an alias, some of them with other values: `replaced` is a dict from column to SQL. -#}
{% macro star_replaced(alias, replaced) -%}
    {{ adapter.dispatch('star_replaced', 'followup')(alias, replaced) }}
{%- endmacro %}

{% macro default__star_replaced(alias, replaced) -%}
    {{ alias }}.* replace ({% for column, value in replaced.items() %}{{ value }} as {{ column }}{{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{#- Text, as a type. -#}
{% macro text_type() -%}
    {{ return(adapter.dispatch('text_type', 'followup')()) }}
{%- endmacro %}

{% macro default__text_type() -%} {{ return('varchar') }} {%- endmacro %}

{#- The type of a key of what is counted, as the adapter names it. -#}
{% macro key_type() -%}
    {{ return(adapter.dispatch('key_type', 'followup')()) }}
{%- endmacro %}

{% macro default__key_type() -%} {{ return('UINTEGER') }} {%- endmacro %}

{#- The dates from 2000 to a year from today with `step` between, as the relation `series` with one column. -#}
{% macro date_series(step, column) -%}
    {{ adapter.dispatch('date_series', 'followup')(step, column) }}
{%- endmacro %}

{% macro default__date_series(step, column) -%}
    generate_series(date '2000-01-01', {{ clock_date() }} + interval 1 year, {{ step }}) as series ({{ column }})
{%- endmacro %}

{#- The value of the row whose `by` is smallest; rows without a value are passed over. -#}
{% macro value_at_least(value, by) -%}
    {{ adapter.dispatch('value_at_least', 'followup')(value, by) }}
{%- endmacro %}

{% macro default__value_at_least(value, by) -%}
    arg_min({{ value }}, {{ by }})
{%- endmacro %}

{#- The same, of the row whose `by` is largest. -#}
{% macro value_at_most(value, by) -%}
    {{ adapter.dispatch('value_at_most', 'followup')(value, by) }}
{%- endmacro %}

{% macro default__value_at_most(value, by) -%}
    arg_max({{ value }}, {{ by }})
{%- endmacro %}

{#- What tells a row from the others, as `columns` do. DuckDB gives a number, which is shorter. -#}
{% macro row_name(columns) -%}
    {{ adapter.dispatch('row_name', 'followup')(columns) }}
{%- endmacro %}

{% macro default__row_name(columns) -%}
    row_number() over ()
{%- endmacro %}

{#- The same where it must be a whole number. -#}
{% macro row_number_by(columns) -%}
    {{ adapter.dispatch('row_number_by', 'followup')(columns) }}
{%- endmacro %}

{% macro default__row_number_by(columns) -%}
    row_number() over ()
{%- endmacro %}

{#- A whole number in a type that holds 128 bits. DuckDB's sums are of such a type. -#}
{% macro wide(number) -%}
    {{ adapter.dispatch('wide', 'followup')(number) }}
{%- endmacro %}

{% macro default__wide(number) -%}
    {{ number }}
{%- endmacro %}
