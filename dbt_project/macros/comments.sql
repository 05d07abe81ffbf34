{#-
    What a model and its columns are, as comments in the warehouse: dbt's own way asks three times which columns there are
    and takes three statements. A described column that a model lacks is an error.
-#}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set told = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do told.append('comment on ' ~ relation.type ~ ' ' ~ relation ~ ' is ' ~ duckdb_escape_comment(model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for name, column in model.columns.items() if column.description -%}
            {%- do told.append('comment on column ' ~ relation ~ '.' ~ name ~ ' is ' ~ duckdb_escape_comment(column.description)) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if told -%}
        {%- call statement('comments') -%} {{ told | join(';\n') }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}
