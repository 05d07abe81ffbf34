{#- The rows in force of one dataset: the Parquet files that `followup build` names, one per submission. -#}
{% macro validated(dataset) -%}
    {%- do source('validated', dataset) -%}
    {%- set files = var('validated_files').get(dataset, []) -%}
    {%- if execute and not files -%}
        {{ exceptions.raise_compiler_error("var validated_files names no file of " ~ dataset ~ "; `followup build` passes them") }}
    {%- endif -%}
    read_parquet([
    {%- for file in files %}
        '{{ file | replace("'", "''") }}'{{ "," if not loop.last }}
    {%- endfor %}
    ], union_by_name = true)
{%- endmacro %}

{#- The ledger's submissions, one row each. -#}
{% macro ledger_submissions() -%}
    {%- do source('ledger', 'submissions') -%}
    {%- set file = var('submissions_file') -%}
    {%- if execute and not file -%}
        {{ exceptions.raise_compiler_error("var submissions_file is not set; `followup build` passes it") }}
    {%- endif -%}
    read_parquet('{{ file | default("", true) | replace("'", "''") }}')
{%- endmacro %}

{#- Today as the installation's clock says. -#}
{% macro clock_date() -%}
    {%- if var('as_of_date') -%} cast('{{ var("as_of_date") }}' as date) {%- else -%} current_date {%- endif -%}
{%- endmacro %}

{#- The date whose division of districts `today` means. -#}
{% macro division_date() -%}
    {%- if var('districts_as_of') -%}
        cast('{{ var("districts_as_of") }}' as date)
    {%- else -%}
        {{ clock_date() }}
    {%- endif -%}
{%- endmacro %}

{#- What the rows of that division are called: `today`, or `as_of_date` when another date was asked for. -#}
{% macro division_name() -%}
    {{ "as_of_date" if var('districts_as_of') else "today" }}
{%- endmacro %}
