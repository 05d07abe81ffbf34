{#-
    Tables and views of a warehouse that a build makes from nothing: nothing old is moved aside, so nothing is made under
    another name and renamed, as dbt's own materializations do. Whoever runs dbt on a warehouse that has them already gets
    them anew. Both are one transaction: the relation, the checks of its contract and the comments on it.
-#}
{% materialization table, adapter='duckdb' %}
    {{- return(made(this.incorporate(type='table'))) -}}
{% endmaterialization %}

{% materialization view, adapter='duckdb' %}
    {{- return(made(this.incorporate(type='view'))) -}}
{% endmaterialization %}

{% macro made(relation) -%}
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
