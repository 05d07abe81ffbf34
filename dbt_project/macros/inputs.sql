{#- The rows in force of one dataset, from the Parquet files that `followup build` lists, one per submission. -#}
{% macro validated(dataset) -%}
    {%- do source('validated', dataset) -%}
    {{ adapter.dispatch('validated', 'followup')(dataset) }}
{%- endmacro %}

{% macro default__validated(dataset) -%}
    {%- set files = build_input("select file from " ~ input_file('files') ~ " where dataset = '" ~ dataset ~ "' order by place") -%}
    {%- if execute and not files -%}
        {{ exceptions.raise_compiler_error("files.parquet names no file of " ~ dataset ~ "; `followup build` writes it") }}
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
    {{ input_file('submissions') }}
{%- endmacro %}

{#- Today by the installation's clock, or the date in `as_of_date`. -#}
{% macro clock_date() -%}
    {%- if var('as_of_date') -%}
        cast('{{ var("as_of_date") }}' as date)
    {%- elif var('inputs_folder') and execute -%}
        cast('{{ build_input("select as_of_date from " ~ input_file('clock')) | first }}' as date)
    {%- else -%}
        current_date
    {%- endif -%}
{%- endmacro %}

{#-
    One of the files that `followup build` writes for dbt to read. Their content is not passed as variables: then the
    variables are the same in every build, and dbt need not parse the whole project again.
-#}
{% macro input_file(name) -%}
    {{ adapter.dispatch('input_file', 'followup')(name) }}
{%- endmacro %}

{% macro default__input_file(name) -%}
    {%- set folder = var('inputs_folder') -%}
    {%- if execute and not folder -%}
        {{ exceptions.raise_compiler_error("var inputs_folder is not set; `followup build` passes it") }}
    {%- endif -%}
    read_parquet('{{ folder | default("", true) | replace("'", "''") }}/{{ name }}.parquet')
{%- endmacro %}

{#- The first column of a query over these files, as a list; an empty list while dbt only parses. -#}
{% macro build_input(query) -%}
    {{ return(run_query(query).columns[0].values() | list if execute else []) }}
{%- endmacro %}

{#- The date of the division of districts: today, or the date in `districts_as_of`. -#}
{% macro division_date() -%}
    {%- if var('districts_as_of') -%}
        cast('{{ var("districts_as_of") }}' as date)
    {%- else -%}
        {{ clock_date() }}
    {%- endif -%}
{%- endmacro %}

{#- The name of that division in `district_basis`: `today`, or `as_of_date` when another date was asked for. -#}
{% macro division_name() -%}
    {{ "as_of_date" if var('districts_as_of') else "today" }}
{%- endmacro %}
