{#-
    One row per case or episode as it stands in the newest quarter in force.

    Identity is the district's own number and the person; a successor district's row with the same two continues the
    predecessor's. `district_code` becomes the code under which the case was first submitted, `last_district_code` the
    one of its newest row. Expects the CTE `rows_in_force`; makes `newest_rows`.
-#}
{% macro newest_rows(id) -%}
inherited as (
    -- rows of a successor whose case a predecessor has submitted: the eldest predecessor speaks
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
        from rows_in_force
        where district_code in (
            select descendant_code from {{ ref('int_districts__succeeded') }} where generations > 0
        )
    ) as successors
    inner join {{ ref('int_districts__succeeded') }} as related
        on successors.district_code = related.descendant_code and related.generations > 0
    inner join rows_in_force as predecessors
        on
            related.ancestor_code = predecessors.district_code
            and successors.{{ id }} = predecessors.{{ id }}
            and successors.match_person_key = predecessors.match_person_key
    qualify row_number() over (
        partition by successors.district_code, successors.{{ id }}, successors.match_person_key
        order by related.generations desc, predecessors.reporting_quarter desc, predecessors.district_code asc
    ) = 1
),

identified as (
    select
        rows_in_force.*,
        coalesce(inherited.first_district_code, rows_in_force.district_code) as first_district_code
    from rows_in_force
    left join inherited
        on
            rows_in_force.district_code = inherited.district_code
            and rows_in_force.{{ id }} = inherited.{{ id }}
            and rows_in_force.match_person_key = inherited.match_person_key
),

spans as (
    select
        first_district_code,
        {{ id }},
        match_person_key,
        min(reporting_quarter) as first_reporting_quarter,
        max(reporting_quarter) as last_reporting_quarter
    from identified
    group by first_district_code, {{ id }}, match_person_key
),

newest_rows as (
    select
        identified.*,
        spans.first_reporting_quarter,
        spans.last_reporting_quarter,
        {{ dbt.hash("identified.first_district_code || '|' || identified." ~ id ~ " || '|' || identified.match_person_key") }} as identity_key
    from identified
    inner join spans
        on
            identified.first_district_code = spans.first_district_code
            and identified.{{ id }} = spans.{{ id }}
            and identified.match_person_key = spans.match_person_key
            and identified.reporting_quarter = spans.last_reporting_quarter
)
{%- endmacro %}
