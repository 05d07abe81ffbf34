{#-
    Which cuts a mart holds beside district and quarter: every cut by at most two of its dimensions, and
    sex x age band x any one more. All dimensions crossed would be millions of ones and twos.

    `dimensions` is a list of dimensions; each is the list of its columns from the outermost to the innermost, so that
    a nested dimension (reason in its side) counts as one: it is cut at either level, and the inner level carries the
    outer. Returns a list of cuts, each a list of columns; the first is the total.
-#}
{% macro cuts(dimensions) -%}
    {%- set found = [[]] -%}
    {%- set age = 'clinic_age_band' if ['clinic_age_band'] in dimensions else 'age_band' -%}
    {%- for first in dimensions -%}
        {%- set later = dimensions[loop.index:] -%}
        {%- for first_depth in range(1, first | length + 1) -%}
            {%- do found.append(first[:first_depth]) -%}
            {%- for second in later -%}
                {%- for second_depth in range(1, second | length + 1) -%}
                    {%- do found.append(first[:first_depth] + second[:second_depth]) -%}
                {%- endfor -%}
            {%- endfor -%}
            {%- if first[0] not in ('sex', age) and ['sex'] in dimensions and [age] in dimensions -%}
                {%- do found.append(['sex', age] + first[:first_depth]) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The group by of a mart: its keys with every cut, and with the cuts in `also`. -#}
{% macro grouping_sets(keys, dimensions, also=[]) -%}
    grouping sets (
    {%- for cut in cuts(dimensions) + also %}
        ({{ (keys + cut) | join(', ') }}){{ "," if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{#- The dimensions' columns, `alla` where the row is not cut by them. -#}
{% macro cut_columns(dimensions) -%}
    {%- for columns in dimensions -%}
        {%- set outer_loop = loop -%}
        {%- for column in columns %}
    coalesce({{ column }}, 'alla') as {{ column }}{{ "," if not (outer_loop.last and loop.last) }}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{#- The two divisions a mart is told in; joined to rows whose `counts_in_basis` is one of them or `both`. -#}
{% macro district_bases() -%}
    (values ('as_submitted'), ('{{ division_name() }}')) as bases (district_basis)
{%- endmacro %}

{#- How complete a row's inputs are; expects the alias `told` of a mart's last step, and `bases` unless told otherwise. -#}
{% macro join_completeness(dataset, basis='bases.district_basis') -%}
{{ join_completeness_of("'" ~ dataset ~ "'", basis) }}
{%- endmacro %}

{#- The same where the dataset is told by a column. -#}
{% macro join_completeness_of(dataset, basis='bases.district_basis') -%}
left join {{ ref('fct_completeness') }} as completeness
    on
        told.district_code = completeness.district_code
        and {{ basis }} = completeness.district_basis
        and told.reporting_quarter = completeness.reporting_quarter
        and completeness.dataset = {{ dataset }}
{%- endmacro %}

{#- The same where a mart rests on several datasets: a district is in force when all its files are. -#}
{% macro join_joint_completeness(mart) -%}
left join {{ ref('fct_completeness_joint') }} as completeness
    on
        told.district_code = completeness.district_code
        and bases.district_basis = completeness.district_basis
        and told.reporting_quarter = completeness.reporting_quarter
        and completeness.mart = '{{ mart }}'
{%- endmacro %}

{% macro completeness_columns() -%}
    {%- for column in ['districts_in_force', 'districts_expected', 'late', 'open_queries'] -%}
    coalesce(completeness.{{ column }}, 0) as {{ column }}{{ ",\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
