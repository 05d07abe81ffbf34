{#- Whom something is directed at; `alla` in the files is everyone, which in a mart would read as the total. -#}
{% macro directed_at(column) -%}
    case when {{ column }} = 'alla' then 'generell' else coalesce({{ column }}, 'okand') end
{%- endmacro %}

{#- The rows of one dataset that are in force, whole or these columns of them; `staged` is its staging model. -#}
{% macro rows_in_force(staged, columns=['*']) -%}
    select staged.{{ columns | join(', staged.') }}
    from {{ ref(staged) }} as staged
    where
        staged.submission_id in (
            select submissions.submission_id from {{ ref('int_submissions__received') }} as submissions
            where submissions.is_in_force
        )
{%- endmacro %}

{#- The units and quarters that a file of the dataset in force tells of: each has a row, also when the file has none. -#}
{% macro told_in_force(dataset) -%}
    select distinct
        membership.counts_in_code as district_code,
        membership.counts_in_basis,
        submissions.reporting_quarter
    from {{ ref('fct_submission') }} as submissions
    inner join {{ ref('dim_district_membership') }} as membership
        on submissions.district_code = membership.district_code
    where submissions.is_in_force and submissions.dataset = '{{ dataset }}'
{%- endmacro %}

{#- The rows of a fact, each once in every unit that it counts in. -#}
{% macro counted_in_units(fact) -%}
    select
        facts.* exclude (district_code),
        facts.district_code as reporting_code,
        membership.counts_in_code as district_code,
        membership.counts_in_basis
    from {{ ref(fact) }} as facts
    inner join {{ ref('dim_district_membership') }} as membership
        on facts.district_code = membership.district_code
{%- endmacro %}

{#-
    The CTE `filled`: what is told, with the counts of its cells. Expects the CTEs `told` (the keys) and `cells` (keys,
    dimensions, measures). A unit whose file holds nothing gets its total row of zeros: nothing is not missing.
    `kept` are columns of `told` beside its keys.
-#}
{% macro filled(keys, dimensions, counts, others=[], kept=[]) -%}
filled as (
    select
        {%- for key in keys + kept %}
        told.{{ key }},
        {%- endfor %}
        {%- for dimension in dimensions %}
        {%- for column in dimension %}
        coalesce(cells.{{ column }}, 'alla') as {{ column }},
        {%- endfor %}
        {%- endfor %}
        {%- for other in others %}
        cells.{{ other }},
        {%- endfor %}
        {%- for count in counts %}
        coalesce(cells.{{ count }}, 0) as {{ count }}{{ "," if not loop.last }}
        {%- endfor %}
    from told
    left join cells
        on
            {%- for key in keys %}
            {{ "and " if not loop.first }}told.{{ key }} = cells.{{ key }}
            {%- endfor %}
)
{%- endmacro %}

{#- The distinct codes in a column of codes with `|` between, over the rows that pass `condition`, in order. -#}
{% macro distinct_codes(column, condition) -%}
    {{ adapter.dispatch('distinct_codes', 'followup')(column, condition) }}
{%- endmacro %}

{% macro default__distinct_codes(column, condition) -%}
    array_join(array_sort(array_distinct(flatten(
        collect_list(split({{ column }}, '[|]')) filter (where {{ condition }} and {{ column }} is not null)
    ))), '|')
{%- endmacro %}

{% macro duckdb__distinct_codes(column, condition) -%}
    nullif(array_to_string(list_sort(list_distinct(flatten(
        list(string_split({{ column }}, '|')) filter (where {{ condition }} and {{ column }} is not null)
    ))), '|'), '')
{%- endmacro %}
