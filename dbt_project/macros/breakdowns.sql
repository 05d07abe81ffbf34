{#-
    Which breakdowns a mart holds beside district and quarter: by none, by each one and by each two of its dimensions,
    and by sex x age band x any one more. All dimensions crossed would be millions of cells with one or two children.

    `dimensions` is a list of dimensions. Each is the list of its columns, from the outermost to the innermost, so that a
    nested dimension (a reason within its side) counts as one: a breakdown stops at either level, and the inner level
    carries the outer. Returns a list of breakdowns, each a list of columns; the first is the empty one, the total.
-#}
{% macro breakdowns(dimensions) -%}
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

{#-
    Condition on the rows of a mart: those of `ej_tillampligt` are left out in quarters that no year with a legal ground
    has. There they are the same as `alla`. `cells` is the alias of the dimensions, `rows` that of the quarter.
-#}
{% macro has_ground(cells, rows) -%}
    {{ cells }}.legal_ground <> 'ej_tillampligt' or {{ rows }}.reporting_quarter >= '2024Q4'
{%- endmacro %}

{#- The `group by` of a mart's cells: its keys with every breakdown. -#}
{% macro grouping_sets(keys, dimensions) -%}
    {{ grouping_sets_of(keys, breakdowns(dimensions)) }}
{%- endmacro %}

{#- The same with breakdowns that are listed. -#}
{% macro grouping_sets_of(keys, listed) -%}
    grouping sets (
    {%- for breakdown in listed %}
        ({{ (keys + breakdown) | join(', ') }}){{ "," if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}

{#- The dimensions' columns of such cells: `alla` where the cell is not broken down by them. -#}
{% macro breakdown_columns(dimensions) -%}
    {%- for columns in dimensions -%}
        {%- set outer_loop = loop -%}
        {%- for column in columns %}
    coalesce({{ column }}, 'alla') as {{ column }}{{ "," if not (outer_loop.last and loop.last) }}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{#- The breakdowns of rolling years: those of at most one dimension, and sex x age band. -#}
{% macro narrow_breakdowns(dimensions) -%}
    {%- set found = [] -%}
    {%- for breakdown in breakdowns(dimensions) -%}
        {%- set cut_by = [] -%}
        {%- for columns in dimensions if columns[0] in breakdown -%}
            {%- do cut_by.append(columns[0]) -%}
        {%- endfor -%}
        {%- if cut_by | length < 2 or (cut_by | length == 2 and 'sex' in cut_by and ('age_band' in cut_by or 'clinic_age_band' in cut_by)) -%}
            {%- do found.append(breakdown) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Which breakdowns go with which rows of `rows_with_years`: pairs of a condition and breakdowns. -#}
{% macro breakdowns_by_period(dimensions) -%}
    {{ return([('not is_rolling_only', breakdowns(dimensions)), ('is_rolling_only', narrow_breakdowns(dimensions))]) }}
{%- endmacro %}
