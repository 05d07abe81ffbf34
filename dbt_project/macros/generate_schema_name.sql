{#- A model lives in the schema its folder names, without a prefix of the target's. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema if custom_schema_name is none else custom_schema_name | trim }}
{%- endmacro %}

{#- dbt makes the schemas before it runs models; with that of the marts it makes that of their private columns. -#}
{% macro duckdb__create_schema(relation) -%}
    {%- call statement('create_schema') -%}
        create schema if not exists {{ relation.without_identifier() }};
        {%- if relation.schema == 'marts' %}
        create schema if not exists {{ relation.incorporate(path={'schema': 'keyed'}).without_identifier() }}
        {%- endif %}
    {%- endcall -%}
{%- endmacro %}
