{#- The reporting quarter of a date: 2018-09-30 -> 2018Q3. -#}
{% macro quarter_of(date) -%}
    extract(year from {{ date }}) || 'Q' || extract(quarter from {{ date }})
{%- endmacro %}

{#- A quarter's number on one unbroken scale, so that quarters can be subtracted: 2018Q3 -> 8074. -#}
{% macro quarter_index(quarter) -%}
    (cast(left({{ quarter }}, 4) as integer) * 4 + cast(right({{ quarter }}, 1) as integer) - 1)
{%- endmacro %}

{#- Last day of a reporting quarter: 2018Q3 -> 2018-09-30. -#}
{% macro quarter_end(quarter) -%}
    cast({{ dbt.dateadd(
        'day', -1,
        dbt.dateadd('month', 'cast(right(' ~ quarter ~ ', 1) as integer) * 3', 'cast(left(' ~ quarter ~ ", 4) || '-01-01' as date)")
    ) }} as date)
{%- endmacro %}

{#- Completed years of age on a day; null when either is unknown or the child was not born. -#}
{% macro age_on(birth_date, day) -%}
    case
        when {{ day }} >= {{ birth_date }}
            then
                cast(extract(year from {{ day }}) - extract(year from {{ birth_date }})
                - case
                    when
                        extract(month from {{ day }}) * 100 + extract(day from {{ day }})
                        < extract(month from {{ birth_date }}) * 100 + extract(day from {{ birth_date }})
                        then 1
                    else 0
                end as integer)
    end
{%- endmacro %}

{#- The age band of an age in years; the bands are those of seed age_bands. -#}
{% macro age_band(age) -%}
    case
        when {{ age }} is null then 'okand'
        when {{ age }} <= 5 then '0-5'
        when {{ age }} <= 12 then '6-12'
        when {{ age }} <= 17 then '13-17'
        when {{ age }} <= 20 then '18-20'
        else 'vuxen'
    end
{%- endmacro %}

{#- Days from one date to a later one, 0 when the later came first; null when either is unknown. -#}
{% macro days_waited(from_date, to_date) -%}
    case
        when {{ to_date }} < {{ from_date }} then 0
        else {{ dbt.datediff(from_date, to_date, 'day') }}
    end
{%- endmacro %}
