{#-
    Which rows a mart has, and where facts count. A fact belongs to one unit, but counts in several: its own, the unit
    that it is merged into in the division of the day, and the city (`dim_district_membership`).

    A mart is made in one of two ways:
    - few rows: `reporting_units` (rows to show) and `rows_per_unit` (rows to count), joined by `zero_filled`;
    - many rows: `numbered_rows_per_unit` gives every combination of the mart's keys one number, the cells are grouped
      by that number, and `join_groups` puts the keys back.
-#}

{#- The two divisions of districts; for a join to rows whose `counts_in_basis` is one of them or `both`. -#}
{% macro district_bases() -%}
    (values ('as_submitted'), ('{{ division_name() }}')) as bases (district_basis)
{%- endmacro %}

{#- Each row of an alias once for each division that it counts in: `bases.district_basis`. -#}
{% macro join_bases(rows) -%}
inner join {{ district_bases() }}
    on {{ rows }}.counts_in_basis in ('both', bases.district_basis)
{%- endmacro %}

{#- The units and quarters with a file of the dataset in force: each has a row in a mart, even if the file is empty. -#}
{% macro reporting_units(dataset) -%}
    select distinct
        membership.counts_in_code as district_code,
        membership.counts_in_basis,
        submissions.reporting_quarter
    from {{ ref('fct_submission') }} as submissions
    inner join {{ ref('dim_district_membership') }} as membership
        on submissions.district_code = membership.district_code
    where submissions.is_in_force and submissions.dataset = '{{ dataset }}'
{%- endmacro %}

{#- The rows of a fact, each once for every unit that it counts in; `reporting_code` is the unit that reported it. -#}
{% macro rows_per_unit(fact) -%}
    select
        {{ star_except('facts', ['district_code']) }},
        facts.district_code as reporting_code,
        membership.counts_in_code as district_code,
        membership.counts_in_basis
    from {{ ref(fact) }} as facts
    inner join {{ ref('dim_district_membership') }} as membership
        on facts.district_code = membership.district_code
{%- endmacro %}

{#-
    The CTE `zero_filled`: the rows of `reporting_units` with the counts of their `cells`. A unit whose file is empty gets
    a total row of zeros, so that an empty file is not shown as a missing one.

    Expects the CTEs `reporting_units` (`keys`, `carried`) and `cells` (`keys`, `dimensions`, `counts`, `others`).
    `counts` are 0 where there is no cell, `others` are null; `carried` are columns of `reporting_units` beside its keys.
-#}
{% macro zero_filled(keys, dimensions, counts, others=[], carried=[]) -%}
zero_filled as (
    select
        {%- for key in keys + carried %}
        reporting_units.{{ key }},
        {%- endfor %}
        {%- for column in dimensions | sum(start=[]) %}
        coalesce(cells.{{ column }}, 'alla') as {{ column }},
        {%- endfor %}
        {%- for other in others %}
        cells.{{ other }},
        {%- endfor %}
        {%- for count in counts %}
        coalesce(cells.{{ count }}, 0) as {{ count }}{{ "," if not loop.last }}
        {%- endfor %}
    from reporting_units
    left join cells
        on
            {%- for key in keys %}
            {{ "and " if not loop.first }}reporting_units.{{ key }} = cells.{{ key }}
            {%- endfor %}
)
{%- endmacro %}

{#-
    The groups in which the rows of a CTE or a model count. A group is one combination of the mart's keys: a unit, a
    division, a quarter and so on. Gives a row for each reporting unit with the rest of `keys` (from the third on) and
    each group that these belong to: `reporting_code`, `keys`, `group_number`.

    The number stands for all keys: to group many breakdowns by one number is faster than by several texts.
-#}
{% macro group_memberships(rows, keys) -%}
    select
        distinct_keys.district_code as reporting_code,
        {%- for key in keys[2:] %}
        distinct_keys.{{ key }},
        {%- endfor %}
        membership.counts_in_code as district_code,
        membership.counts_in_basis,
        dense_rank() over (
            order by
                membership.counts_in_code,
                membership.counts_in_basis,
                distinct_keys.{{ keys[2:] | join(',\n                distinct_keys.') }}
        ) as group_number
    from (
        select distinct
            district_code,
            {{ keys[2:] | join(',\n            ') }}
        from {{ rows }}
    ) as distinct_keys
    inner join {{ ref('dim_district_membership') }} as membership
        on distinct_keys.district_code = membership.district_code
{%- endmacro %}

{#- The condition of a join: a row of the alias `rows` belongs to the group of a row of the alias `memberships`. -#}
{% macro is_member(rows, keys) -%}
{{ rows }}.district_code = memberships.reporting_code
    {%- for key in keys[2:] %}
            and {{ rows }}.{{ key }} = memberships.{{ key }}
    {%- endfor %}
{%- endmacro %}

{#- The rows of a CTE or a model, each once for every unit that it counts in, with the number of its group. -#}
{% macro numbered_rows_per_unit(rows, keys) -%}
    select
        {{ star_except('facts', ['district_code']) }},
        memberships.reporting_code,
        memberships.district_code,
        memberships.counts_in_basis,
        memberships.group_number
    from {{ rows }} as facts
    inner join (
        {{ group_memberships(rows, keys) | indent(4) }}
    ) as memberships
        on
            {{ is_member('facts', keys) }}
{%- endmacro %}

{#-
    One row per group of `rows`: its number, its keys, and whether any of its rows can still change (`is_ripening`). That
    is said of the whole group, not of each cell, because an open row can still move to another cell. `also` are columns
    that have one value in a group.
-#}
{% macro distinct_groups(rows, keys, ripening='is_ripening', also=[]) -%}
    select
        group_number,
        {{ keys | join(',\n        ') }},
        {%- for column in also %}
        min({{ column }}) as {{ column }},
        {%- endfor %}
        bool_or({{ ripening }}) as is_ripening
    from {{ rows }}
    group by group_number, {{ keys | join(', ') }}
{%- endmacro %}

{#-
    For a mart's last step: the keys of its `cells` (alias `groups`), their divisions (alias `bases`) and their kinds of
    period (alias `periods`).
-#}
{% macro join_groups(dimensions) -%}
inner join groups
    on cells.group_number = groups.group_number
{{ join_bases('groups') }}
{{ join_periods('groups', dimensions, 'cells') }}
{%- endmacro %}

{#- The dimensions' columns from an alias. -#}
{% macro dimension_columns(alias, dimensions) -%}
    {%- for column in dimensions | sum(start=[]) -%}
    {{ alias }}.{{ column }}{{ ",\n    " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#-
    The file of a row's quarter, as alias `covered`. It is null where the unit has no file of the quarter: then only the
    rows that later files still hold are known. `quarter` is the column that holds the row's quarter.
-#}
{% macro join_quarter_covered(rows, quarter, dataset='arenden') -%}
left join {{ ref('fct_quarter_covered') }} as covered
        on
            {{ rows }}.district_code = covered.district_code
            and {{ rows }}.{{ quarter }} = covered.reporting_quarter
            and covered.dataset = '{{ dataset }}'
{%- endmacro %}
