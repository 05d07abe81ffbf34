{#-
    One row per case or episode, from the newest quarter in force that holds it.

    Its identity is the district's own number (`id`) and the person. A row of a successor district with the same two
    continues the predecessor's. `first_district_code` is the unit that first submitted it, `district_code` the unit of
    its newest row. Expects the CTE `rows_in_force` and one with its keys, which may be the same: keys alone are few bytes
    a row, so wide rows are read only once. Makes the CTEs `inherited`, `spans` and `newest_rows`.
-#}
{% macro newest_rows(id, keys='rows_in_force') -%}
inherited as (
    -- the rows of a successor whose case a predecessor has submitted: the case belongs to the oldest predecessor
    select
        successors.district_code,
        successors.{{ id }},
        successors.match_person_key,
        predecessors.district_code as first_district_code
    from (
        select distinct
            district_code,
            {{ id }},
            match_person_key
        from {{ keys }}
        where district_code in (
            select descendant_code from {{ ref('int_districts__related') }} where generations > 0
        )
    ) as successors
    inner join {{ ref('int_districts__related') }} as related
        on successors.district_code = related.descendant_code and related.generations > 0
    inner join {{ keys }} as predecessors
        on
            related.ancestor_code = predecessors.district_code
            and successors.{{ id }} = predecessors.{{ id }}
            and successors.match_person_key = predecessors.match_person_key
    qualify row_number() over (
        partition by successors.district_code, successors.{{ id }}, successors.match_person_key
        order by related.generations desc, predecessors.reporting_quarter desc, predecessors.district_code asc
    ) = 1
),

spans as (
    select
        coalesce(inherited.first_district_code, keys.district_code) as first_district_code,
        keys.{{ id }},
        keys.match_person_key,
        min(keys.reporting_quarter) as first_reporting_quarter,
        max(keys.reporting_quarter) as last_reporting_quarter
    from {{ keys }} as keys
    {{ join_inherited('keys', id) }}
    group by 1, 2, 3
),

newest_rows as (
    select
        rows_in_force.*,
        spans.first_district_code,
        spans.first_reporting_quarter,
        spans.last_reporting_quarter,
        {{ dbt.hash("spans.first_district_code || '|' || rows_in_force." ~ id ~ " || '|' || rows_in_force.match_person_key") }} as identity_key
    from rows_in_force
    {{ join_inherited('rows_in_force', id) }}
    inner join spans
        on
            coalesce(inherited.first_district_code, rows_in_force.district_code) = spans.first_district_code
            and rows_in_force.{{ id }} = spans.{{ id }}
            and rows_in_force.match_person_key = spans.match_person_key
            and rows_in_force.reporting_quarter = spans.last_reporting_quarter
)
{%- endmacro %}

{#- The CTE `inherited`, by the case or episode of an alias: the unit that first submitted it, if that is a predecessor. -#}
{% macro join_inherited(rows, id) -%}
left join inherited
        on
            {{ rows }}.district_code = inherited.district_code
            and {{ rows }}.{{ id }} = inherited.{{ id }}
            and {{ rows }}.match_person_key = inherited.match_person_key
{%- endmacro %}
