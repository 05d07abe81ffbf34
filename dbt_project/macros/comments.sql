{#-
    Writes the descriptions of a model and its columns as comments in the warehouse, in one statement: dbt's own macro
    asks three times for the columns and takes three statements. It is an error to describe a column that the model lacks.
-#}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.append('comment on ' ~ relation.type ~ ' ' ~ relation ~ ' is ' ~ duckdb_escape_comment(model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for name, column in model.columns.items() if column.description -%}
            {%- do comments.append('comment on column ' ~ relation ~ '.' ~ name ~ ' is ' ~ duckdb_escape_comment(column.description)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}
        {%- call statement('comments') -%} {{ comments | join(';\n') }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}
