{#- What sqlfluff sees instead of macros that need dbt itself: SQL of the same form. -#}
{% macro validated(dataset) %}validated_{{ dataset }}{% endmacro %}
{% macro ledger_submissions() %}ledger_submissions{% endmacro %}
{% macro clock_date() %}current_date{% endmacro %}
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
