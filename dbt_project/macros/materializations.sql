{#-
    Tables and views of a warehouse that every build makes from nothing. dbt's own materializations make a relation under
    another name and rename it, to replace an old one; here there is no old one. If there is (dbt run by hand on a built
    warehouse), it is dropped first. One transaction holds the relation, the check of its contract and its comments.
-#}
{% materialization table, adapter='duckdb' %}
    {%- if model.fqn[1] == 'marts' -%} {{- return(create_mart()) -}} {%- endif -%}
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
        {%- else -%} {{ get_create_table_as_sql(False, relation, with_frozen_rows(model.compiled_code)) }}
        {%- endif -%}
    {%- endcall -%}
    {%- do persist_docs(relation, model) -%}
    {{- run_hooks(post_hooks) -}}
    {%- do adapter.commit() -%}
    {{- return({'relations': [relation]}) -}}
{%- endmacro %}

{#-
    A mart: its contract's columns as a table in the schema of marts, and all its columns, the private ones too, as a
    table in the schema `keyed`. A column is private when it is not in the contract; its name has two underscores
    (`cases__key`). Only the release reads `keyed`. dbt knows contracts' constraints of tables alone, so a mart is
    materialized as a table, and its folder says that it is a mart.
-#}
{% macro create_mart() -%}
    {%- set mart = this.incorporate(type='table') -%}
    {%- set keyed = this.incorporate(path={'schema': 'keyed'}, type='table') -%}
    {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
    {{- run_hooks(pre_hooks) -}}
    {%- call statement('all_columns') -%}
        create or replace table {{ keyed }} as (
            {{ with_frozen_rows(model.compiled_code) }}
        )
    {%- endcall -%}
    {%- do assert_private_columns_are_named_so(keyed) -%}
    {%- call statement('main') -%}
        {{ get_create_table_as_sql(False, mart, contract_columns_of(keyed)) }}
    {%- endcall -%}
    {%- do persist_docs(mart, model) -%}
    {{- run_hooks(post_hooks) -}}
    {%- do adapter.commit() -%}
    {{- return({'relations': [mart]}) -}}
{%- endmacro %}

{#- The contract's columns of a keyed mart: what `marts` holds of it. -#}
{% macro contract_columns_of(keyed) -%}
    select {{ model.columns.keys() | join(', ') }} from {{ keyed }}
{%- endmacro %}

{#- A column is in the contract, or private and named so; a key is a 32-bit number without a sign. -#}
{% macro assert_private_columns_are_named_so(keyed) -%}
    {%- set wrong = [] -%}
    {%- for column in get_column_schema_from_query('select * from ' ~ keyed) -%}
        {%- if (column.name in model.columns) == ('__' in column.name)
            or (column.name.endswith('__key') and column.dtype != key_type()) -%}
            {%- do wrong.append(column.name ~ ' ' ~ column.dtype) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if wrong -%}
        {%- do exceptions.raise_compiler_error(
            model.name ~ ': a column is in the contract, or private and named with two underscores, a key (`__key`) a uinteger: '
            ~ wrong | join(', ')
        ) -%}
    {%- endif -%}
{%- endmacro %}
