{#-
    Frozen figures. Rows about persons are erased after the configured time; before that, the figures of the periods that
    they are in are frozen (ADR 0076). A model with `meta: {frozen: true}` then takes the rows of these periods from a file
    that `followup build` names, and computes only those of later ones. Such a model has a column `reporting_quarter`.

    A column that the model got after the freeze is not in that file. Its YAML says what frozen rows have there, as SQL:
    `config: {meta: {frozen_value: "'alla'"}}`. Private columns (two underscores) get 0. Without that the build fails.
-#}

{#- The SQL of a model with its frozen rows in place of those that it computes for the same periods. -#}
{% macro with_frozen_rows(sql) -%}
    {%- set frozen = run_query(
        "select file, through_quarter from " ~ input_file('frozen') ~ " where model = '" ~ model.name ~ "'"
    ).rows if config.get('meta', {}).get('frozen') else [] -%}
    {%- if not frozen -%}
        {{- return(sql) -}}
    {%- endif -%}
    {%- set file = frozen_file(frozen[0]['file']) -%}
    {%- set stored = get_column_schema_from_query('select * from ' ~ file) | map(attribute='name') | list -%}
    {%- set columns = [] -%}
    {%- for column in get_column_schema_from_query(sql) -%}
        {%- do columns.append(
            column.name if column.name in stored
            else 'cast(' ~ frozen_value(column.name) ~ ' as ' ~ column.dtype ~ ') as ' ~ column.name
        ) -%}
    {%- endfor -%}
    {%- set combined -%}
        select * from (
            {{ sql }}
        ) as computed
        where reporting_quarter > '{{ frozen[0]["through_quarter"] }}'

        union all

        select {{ columns | join(', ') }} from {{ file }}
    {%- endset -%}
    {{- return(combined) -}}
{%- endmacro %}

{#- A model's file of frozen rows, as a relation. -#}
{% macro frozen_file(path) -%}
    {{ return(adapter.dispatch('frozen_file', 'followup')(path)) }}
{%- endmacro %}

{% macro default__frozen_file(path) -%}
    {{ return("read_parquet('" ~ path | replace("'", "''") ~ "')") }}
{%- endmacro %}

{#- The newest quarter whose figures are frozen; empty as long as none are. -#}
{% macro frozen_through() -%}
    {{ return((build_input("select coalesce(max(through_quarter), '') from " ~ input_file('frozen')) + [''])[0]) }}
{%- endmacro %}

{#- What frozen rows have in a column that is newer than they are. -#}
{% macro frozen_value(name) -%}
    {%- set value = (model.columns.get(name) or {}).get('config', {}).get('meta', {}).get('frozen_value') -%}
    {%- if value is none and '__' not in name -%}
        {{- exceptions.raise_compiler_error(
            model.name ~ ': rows of frozen quarters have no column ' ~ name
            ~ '. Say in its YAML what they have there: config: {meta: {frozen_value: "SQL"}}'
        ) -}}
    {%- endif -%}
    {{- return(0 if value is none else value) -}}
{%- endmacro %}
