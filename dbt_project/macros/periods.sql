{#-
    Periods of a mart's rows: quarters (`kvartal`), the four quarters that end with a quarter (`rullande_ar`), and
    calendar years (`ar`). A calendar year is the rolling year that ends with its fourth quarter. So a mart computes
    quarters and rolling years (`is_year`), and `join_periods` gives a row its kind, or both kinds, in the last step.
    Which quarters a year has is in `dim_period_quarter`; only years of reported quarters are there.

    Rolling years hold the totals, each single dimension and sex x age band; calendar years hold every breakdown.

    In a year, flows are sums of its quarters, stocks are those of its last quarter (ADR 0060 lists them).
-#}

{#-
    The rows of a CTE with `reporting_quarter`, each in its quarter (`is_year` false) and in the years that it belongs to.
    `reporting_quarter` is then the last quarter of the year, and `is_last_quarter` says whether the row is of it. Rows
    for which `stock` is true are only in the years whose last quarter is theirs.
-#}
{% macro in_periods(rows, stock='false') -%}
    select
        {{ star_unreplaced(rows, ['reporting_quarter']) }},
        false as is_year,
        true as is_last_quarter
    from {{ rows }}

    union all

    select
        {{ star_replaced(rows, {'reporting_quarter': 'years.reporting_quarter'}) }},
        true as is_year,
        years.is_last_quarter
    from {{ rows }}
    inner join {{ ref('dim_period_quarter') }} as years
        on {{ rows }}.reporting_quarter = years.member_quarter
    {%- if stock != 'false' %}
    where years.is_last_quarter or not ({{ stock }})
    {%- endif %}
{%- endmacro %}

{#- The units of a CTE of `reporting_units`, in quarters and years; `carried` are further keys. -#}
{% macro units_in_periods(quarter_units, stock='false', carried=[]) -%}
    select distinct {{ (['district_code', 'counts_in_basis', 'reporting_quarter'] + carried) | join(', ') }}, is_year
    from (
        {{ in_periods(quarter_units, stock) | indent(4) }}
    ) as units
{%- endmacro %}

{#-
    The CTEs `year_memberships` (which groups of quarters a year's group has) and `groups` (those of quarters and of
    years, with `is_year`), from the CTE `quarter_groups`: `group_number`, `keys`, `also`, `is_ripening`. A year can still
    change when one of its quarters can.
-#}
{% macro groups_with_years(keys, also=[], ripening=['is_ripening']) -%}
{%- set unit = keys | reject('equalto', 'reporting_quarter') | list -%}
year_memberships as (
    select
        quarter_groups.{{ unit | join(',\n        quarter_groups.') }},
        {%- for column in also + ripening %}
        quarter_groups.{{ column }},
        {%- endfor %}
        quarter_groups.group_number as quarter_group_number,
        years.reporting_quarter,
        years.is_last_quarter,
        right(years.reporting_quarter, 1) <> '4' as is_rolling_only,
        1000000000 + dense_rank() over (
            order by quarter_groups.{{ unit | join(', quarter_groups.') }}, years.reporting_quarter
        ) as group_number
    from quarter_groups
    inner join {{ ref('dim_period_quarter') }} as years
        on quarter_groups.reporting_quarter = years.member_quarter
),

groups as (
    select
        group_number,
        {{ (keys + also + ripening) | join(',\n        ') }},
        false as is_year
    from quarter_groups

    union all

    select
        group_number,
        {{ keys | join(',\n        ') }},
        {%- for column in also %}
        min({{ column }}) as {{ column }},
        {%- endfor %}
        {%- for column in ripening %}
        bool_or({{ column }}) as {{ column }},
        {%- endfor %}
        true as is_year
    from year_memberships
    group by group_number, {{ keys | join(', ') }}
)
{%- endmacro %}

{#-
    The CTE of that name: the cells of `quarter_cells`, and their sums over the quarters of a year. `flows` are summed over
    the year, `stocks` are of its last quarter; each has a key beside it. `counts` are summed and have none; `largest` are
    the names of `largest_two`. `columns` are the dimensions that the cells have, by which they are cut.
-#}
{% macro cells_with_years(name, quarter_cells, dimensions, flows=[], stocks=[], counts=[], largest=[], keys=[], survivors=true) -%}
{%- set columns = dimensions | sum(start=[]) -%}
{{ name }} as (
    select
        group_number,
        {{ columns | join(',\n        ') }},
        {%- for column in with_keys(flows + stocks) + keys + counts %}
        {{ column }},
        {%- endfor %}
        {%- for column in largest %}
        {{ column }}__largest,
        {{ column }}__second,
        {%- endfor %}
        {{ "is_survivors_only" if survivors else "false as is_survivors_only" }}
    from {{ quarter_cells }}

    union all

    select
        year_memberships.group_number,
        {{ dimension_columns(quarter_cells, dimensions) | indent(4) }},
        {%- for flow in flows %}
        {{ sum_cells_with_key(flow, cells=quarter_cells) | indent(8) }},
        {%- endfor %}
        {%- for stock in stocks %}
        {{ sum_cells_with_key(stock, 'year_memberships.is_last_quarter', quarter_cells) | indent(8) }},
        {%- endfor %}
        {%- for key in keys %}
        {{ key_sum(quarter_cells ~ '.' ~ key) }} as {{ key }},
        {%- endfor %}
        {%- for count in counts %}
        {{ sum_of(quarter_cells ~ '.' ~ count) }} as {{ count }},
        {%- endfor %}
        {%- for column in largest %}
        {{ largest_two_of_cells(column, quarter_cells) | indent(8) }},
        {%- endfor %}
        {{ "bool_and(" ~ quarter_cells ~ ".is_survivors_only)" if survivors else "false" }} as is_survivors_only
    from {{ quarter_cells }}
    inner join year_memberships
        on {{ quarter_cells }}.group_number = year_memberships.quarter_group_number
    where not year_memberships.is_rolling_only or {{ is_narrow(quarter_cells, dimensions) }}
    group by year_memberships.group_number, {{ dimension_columns(quarter_cells, dimensions) | indent(4) }}
)
{%- endmacro %}

{#-
    The rows of the CTE `quarter_rows` (with `group_number`, that of the quarter's group), and each of them again in the
    groups of the years that it belongs to. `is_rolling_only` says that the group's year is no calendar year, and so has
    few breakdowns. Rows for which `stock` is true are only in the years whose last quarter is theirs.
-#}
{% macro rows_with_years(quarter_rows, stock='false') -%}
    select
        {{ star_unreplaced(none, ['group_number', 'reporting_quarter']) }},
        false as is_rolling_only
    from {{ quarter_rows }}

    union all

    select
        {{ star_replaced(quarter_rows, {
            'group_number': 'year_memberships.group_number', 'reporting_quarter': 'year_memberships.reporting_quarter',
        }) }},
        year_memberships.is_rolling_only
    from {{ quarter_rows }}
    inner join year_memberships
        on {{ quarter_rows }}.group_number = year_memberships.quarter_group_number
    {%- if stock != 'false' %}
    where year_memberships.is_last_quarter or not ({{ stock }})
    {%- endif %}
{%- endmacro %}

{#- Whether a cell is of a breakdown that rolling years have. -#}
{% macro is_narrow(alias, dimensions) -%}
    {%- if dimensions | length < 2 -%} true
    {%- else -%}
        {%- set prefix = alias ~ '.' -%}
        {%- set outer = dimensions | map('first') | list -%}
        {%- set age = 'clinic_age_band' if 'clinic_age_band' in outer else 'age_band' -%}
        {%- set rest = [] -%}
        {%- for column in outer if column not in ('sex', age) -%}
            {%- do rest.append(column) -%}
        {%- endfor -%}
        {%- set has_both = 'sex' in outer and age in outer -%}
(
        (
            {%- for column in outer %}
            {{ "+ " if not loop.first }}cast({{ prefix }}{{ column }} <> 'alla' as integer)
            {%- endfor %}
        ) <= 1
        {%- if has_both %}
        or ({% for column in rest %}{{ prefix }}{{ column }} = 'alla'{{ " and " if not loop.last }}{% else %}true{% endfor %})
        {%- endif %}
    )
    {%- endif -%}
{%- endmacro %}

{#-
    The kinds of period of a row, as alias `periods`. `rows` is the alias with `reporting_quarter` and `is_year`, `cells`
    that of the dimensions. States (`is_state`) have no rolling years: these would say the same as the quarter.
-#}
{% macro join_periods(rows, dimensions=[], cells=none, is_state=false) -%}
inner join (values ('kvartal', false), {% if not is_state %}('rullande_ar', true), {% endif %}('ar', true)) as periods (period_kind, is_year)
    on
        {{ rows }}.is_year = periods.is_year
        and (periods.period_kind <> 'ar' or right({{ rows }}.reporting_quarter, 1) = '4')
        {%- if dimensions | length > 1 and not is_state %}
        and (periods.period_kind <> 'rullande_ar' or {{ is_narrow(cells or rows, dimensions) | indent(4) }})
        {%- endif %}
{%- endmacro %}

{#- A row's period and what it is cut by, from the alias `periods`; `cells` as above. -#}
{% macro period_columns(rows, dimensions=[], cells=none) -%}
    {{ rows }}.reporting_quarter,
    periods.period_kind,
    case when periods.period_kind = 'ar' then left({{ rows }}.reporting_quarter, 4) else {{ rows }}.reporting_quarter end
        as period,
    {{ cut(cells or rows, dimensions) }} as cut
{%- endmacro %}

{#- The same in marts that have quarters only. -#}
{% macro quarter_columns(rows, dimensions=[], cells=none) -%}
    {{ rows }}.reporting_quarter,
    'kvartal' as period_kind,
    {{ rows }}.reporting_quarter as period,
    {{ cut(cells or rows, dimensions) }} as cut
{%- endmacro %}

{#-
    What a row is cut by: the innermost column of each dimension that is not `alla`, in alphabetical order with `+` between
    (`age_band+sex`); `total` where there is none.
-#}
{% macro cut(alias, dimensions) -%}
    {%- set by_name = {} -%}
    {%- for columns in dimensions -%}
        {%- do by_name.update({columns[-1]: columns}) -%}
    {%- endfor -%}
    {%- if not dimensions -%} 'total'
    {%- else -%}
    coalesce(nullif(concat_ws(
        '+'
        {%- for name in by_name | sort %},
        case{% for column in by_name[name] | reverse %} when {{ alias }}.{{ column }} <> 'alla' then '{{ column }}'{% endfor %} end
        {%- endfor %}
    ), ''), 'total')
    {%- endif -%}
{%- endmacro %}

{#- Whether a row's cohort can't change any more: a year needs the files of all its quarters. -#}
{% macro is_cohort_complete(rows, is_settled='true') -%}
    {{ is_settled }} and (not {{ rows }}.is_year or coalesce(completeness.quarters_in_force, 0) = 4)
{%- endmacro %}
