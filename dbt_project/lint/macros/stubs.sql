{#- What sqlfluff sees instead of macros that need dbt itself: SQL of the same form. -#}
{% macro validated(dataset) %}validated_{{ dataset }}{% endmacro %}
{% macro ledger_submissions() %}ledger_submissions{% endmacro %}
{% macro clock_date() %}current_date{% endmacro %}
{% macro frozen_through() %}2018Q1{% endmacro %}
{% macro division_date() %}current_date{% endmacro %}
{% macro division_name() %}today{% endmacro %}
{% macro grouping_sets(keys, dimensions) %}grouping sets ((district_code)){% endmacro %}
{% macro grouping_sets_of(keys, listed) %}grouping sets ((district_code)){% endmacro %}
{% macro breakdowns_by_period(dimensions) %}{{ return([('true', [])]) }}{% endmacro %}
{% macro breakdown_columns(dimensions) %}{% for columns in dimensions %}{% set outer = loop %}{% for column in columns %}{{ column }}{{ "," if not (outer.last and loop.last) }}
        {% endfor %}{% endfor %}{% endmacro %}
{% macro reported_waits(row) %}0 as waits{% endmacro %}
{% macro grouped_median_days(n) %}{{ n }}{% endmacro %}
{% macro shown_grouped_median_days(n) %}{{ n }}{% endmacro %}
{% macro grouped_median_band(n) %}{{ n }}{% endmacro %}
{% macro directed_at(column) %}{{ column }}{% endmacro %}
{% macro distinct_codes(column, condition) %}max({{ column }}){% endmacro %}
{% macro grouped_variance(n, mean) %}{{ n }}{% endmacro %}
{% macro grouped_median_variance(n) %}{{ n }}{% endmacro %}
{% macro star_except(alias, columns) %}{{ alias }}.* exclude ({{ columns | join(', ') }}){% endmacro %}
{% macro star_unreplaced(alias, columns) %}{{ alias ~ '.*' if alias else '*' }}{% endmacro %}
{% macro star_replaced(alias, replaced) %}{{ alias }}.* replace ({% for column, value in replaced.items() %}{{ value }} as {{ column }}{{ ", " if not loop.last }}{% endfor %}){% endmacro %}
{% macro text_type() %}varchar{% endmacro %}
{% macro key_type() %}uinteger{% endmacro %}
{% macro date_series(step, column) %}generate_series(date '2000-01-01', current_date, {{ step }}) as series ({{ column }}){% endmacro %}
{% macro value_at_least(value, by) %}arg_min({{ value }}, {{ by }}){% endmacro %}
{% macro value_at_most(value, by) %}arg_max({{ value }}, {{ by }}){% endmacro %}
{% macro row_name(columns) %}row_number() over (){% endmacro %}
{% macro row_number_by(columns) %}row_number() over (){% endmacro %}
{% macro wide(number) %}{{ number }}{% endmacro %}
{% macro has_ground(cells, rows) %}{{ cells }}.legal_ground <> 'x' or {{ rows }}.reporting_quarter >= 'x'{% endmacro %}
