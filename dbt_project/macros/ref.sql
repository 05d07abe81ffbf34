{#-
    As dbt's own ref, but without the catalog's name: the warehouse is built under one file name and read under
    another, and a view that named the file it was built in would not open there.
-#}
{% macro ref() -%}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- do return(relation.include(database=false)) -%}
{%- endmacro %}
