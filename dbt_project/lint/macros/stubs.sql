{#- What sqlfluff sees instead of macros that need dbt itself: SQL of the same form. -#}
{% macro validated(dataset) %}validated_{{ dataset }}{% endmacro %}
{% macro ledger_submissions() %}ledger_submissions{% endmacro %}
{% macro clock_date() %}current_date{% endmacro %}
{% macro division_date() %}current_date{% endmacro %}
{% macro division_name() %}today{% endmacro %}
{% macro grouping_sets(keys, dimensions, also=[]) %}grouping sets ((district_code)){% endmacro %}
{% macro cut_columns(dimensions) %}{% for columns in dimensions %}{% set outer = loop %}{% for column in columns %}{{ column }}{{ "," if not (outer.last and loop.last) }}
        {% endfor %}{% endfor %}{% endmacro %}
{% macro district_bases() %}bases{% endmacro %}
{% macro join_completeness(dataset, basis='') %}left join completeness on told.district_code = completeness.district_code{% endmacro %}
{% macro join_completeness_of(dataset) %}left join completeness on told.district_code = completeness.district_code{% endmacro %}
{% macro join_joint_completeness(mart) %}left join completeness on told.district_code = completeness.district_code{% endmacro %}
{% macro is_back(rows) %}{{ rows }}.is_returned_365{% endmacro %}
{% macro completeness_columns() %}completeness.late{% endmacro %}
{% macro grouped_median_days(n) %}{{ n }}{% endmacro %}
{% macro grouped_median_band(n) %}{{ n }}{% endmacro %}
{% macro directed_at(column) %}{{ column }}{% endmacro %}
{% macro rows_in_force(staged, columns=[]) %}select * from {{ staged }}{% endmacro %}
{% macro told_in_force(dataset) %}select * from {{ dataset }}{% endmacro %}
{% macro counted_in_units(fact) %}select * from {{ fact }}{% endmacro %}
{% macro filled(keys, dimensions, counts, others=[], kept=[]) %}filled as (
    select * from cells
    cross join told
){% endmacro %}
{% macro distinct_codes(column, condition) %}max({{ column }}){% endmacro %}
{% macro grouped_variance(n, mean) %}{{ n }}{% endmacro %}
{% macro grouped_median_variance(n) %}{{ n }}{% endmacro %}
