{#- The rows of one dataset that are in force, all columns or only these; `staged` is its staging model. -#}
{% macro rows_in_force(staged, columns=['*']) -%}
    select staged.{{ columns | join(', staged.') }}
    from {{ ref(staged) }} as staged
    where
        staged.submission_id in (
            select submissions.submission_id from {{ ref('int_submissions__received') }} as submissions
            where submissions.is_in_force
        )
{%- endmacro %}

{#- The keys of these rows: the unit, its own number of the case or episode (`id`), the person, and the quarter. -#}
{% macro keys_in_force(staged, id) -%}
    {{ rows_in_force(staged, ['district_code', id, 'match_person_key', 'reporting_quarter']) }}
{%- endmacro %}
