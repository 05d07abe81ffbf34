{#- The code of all units together, as text in SQL. organisation.toml says it. -#}
{% macro whole_code() -%} '{{ var("whole_code") }}' {%- endmacro %}

{#- The name of all units together, as text in SQL. -#}
{% macro whole_name() -%} '{{ var("whole_name") }}' {%- endmacro %}
