{#-
    Tables and views of a warehouse that every build makes from nothing. dbt's own materializations make a relation under
    another name and rename it, to replace an old one; here there is no old one. If there is (dbt run by hand on a built
    warehouse), it is dropped first. One transaction holds the relation, the check of its contract and its comments.
-#}
{% materialization table, adapter='duckdb' %}
    {{- return(create_relation(this.incorporate(type='table'))) -}}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {{- return(create_relation(this.incorporate(type='view'))) -}}
{% endmaterialization %}

{#- Drops what has the relation's name, makes it from the model's SQL, comments it, commits. -#}
{% macro create_relation(relation) -%}
    {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
    {{- run_hooks(pre_hooks) -}}
    {%- call statement('main') -%}
        {%- if relation.is_view -%} {{ get_create_view_as_sql(relation, model.compiled_code) }}
        {%- else -%} {{ get_create_table_as_sql(False, relation, model.compiled_code) }}
        {%- endif -%}
    {%- endcall -%}
    {%- do persist_docs(relation, model) -%}
    {{- run_hooks(post_hooks) -}}
    {%- do adapter.commit() -%}
    {{- return({'relations': [relation]}) -}}
{%- endmacro %}
