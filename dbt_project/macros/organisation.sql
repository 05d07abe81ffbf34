{# The code of all units together, and their name: text in SQL. organisation.toml says both. -#}
{% macro whole_code() -%} '{{ var("whole_code") }}' {%- endmacro %}

{% macro whole_name() -%} '{{ var("whole_name") }}' {%- endmacro %}
