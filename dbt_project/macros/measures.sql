{#-
    Measures that every mart computes in the same way. `name` is what the measure's columns begin with.
-#}

{#- A quantile of the rows that pass `condition`, interpolated between neighbours. -#}
{% macro quantile(expression, share, condition) -%}
    {{ adapter.dispatch('quantile', 'followup')(expression, share, condition) }}
{%- endmacro %}

{% macro default__quantile(expression, share, condition) -%}
    percentile_cont({{ share }}) within group (order by {{ expression }}) filter (where {{ condition }})
{%- endmacro %}

{% macro duckdb__quantile(expression, share, condition) -%}
    quantile_cont({{ expression }}, {{ share }}) filter (where {{ condition }})
{%- endmacro %}

{#- The same, for one (number `place`) of several quantiles of the same rows: their values are held in memory once. -#}
{% macro one_of_quantiles(expression, shares, place, condition) -%}
    {{ adapter.dispatch('one_of_quantiles', 'followup')(expression, shares, place, condition) }}
{%- endmacro %}

{% macro default__one_of_quantiles(expression, shares, place, condition) -%}
    {{ quantile(expression, shares[place - 1], condition) }}
{%- endmacro %}

{% macro duckdb__one_of_quantiles(expression, shares, place, condition) -%}
    list_extract(quantile_cont({{ expression }}, [{{ shares | join(', ') }}]) filter (where {{ condition }}), {{ place }})
{%- endmacro %}

{#-
    An aggregate of fractions, in the order of a column. Rounding depends on the order, and two builds of the same files
    must give the same figures to the last digit.
-#}
{% macro in_order(aggregate, expression, by) -%}
    {{ adapter.dispatch('in_order', 'followup')(aggregate, expression, by) }}
{%- endmacro %}

{% macro default__in_order(aggregate, expression, by) -%}
    {{ aggregate }}({{ expression }})
{%- endmacro %}

{% macro duckdb__in_order(aggregate, expression, by) -%}
    {{ aggregate }}({{ expression }} order by {{ by }})
{%- endmacro %}

{#- How many rows pass `condition`. -#}
{% macro count_where(condition) -%}
    cast(count(case when {{ condition }} then 1 end) as integer)
{%- endmacro %}

{#- Sum of a count over the rows that pass `condition`; 0 when there are none. -#}
{% macro sum_of(expression, condition='true') -%}
    cast(coalesce(sum(case when {{ condition }} then {{ expression }} end), 0) as integer)
{%- endmacro %}

{#- Numerator and denominator of a rate, counted over rows. -#}
{% macro rate_counts(name, numerator, denominator) -%}
    {{ count_where('(' ~ denominator ~ ') and (' ~ numerator ~ ')') }} as {{ name }}_numerator,
    {{ count_where(denominator) }} as {{ name }}_denominator
{%- endmacro %}

{#-
    A limit of the Wilson score interval (E. B. Wilson, JASA 22, 1927), z = 1.959964 for 95 %:
    (n + z^2/2 -/+ z * sqrt(n * (d - n) / d + z^2/4)) / (d + z^2).
    Null where the denominator is 0, or less than the numerator.
-#}
{% macro wilson_limit(numerator, denominator, side) -%}
    case
        when {{ denominator }} > 0 and {{ numerator }} <= {{ denominator }}
            then
                {{ "greatest(0e0, " if side == "low" else "least(1e0, " }}(
                    {{ numerator }} + 1.920729410347062e0 {{ "-" if side == "low" else "+" }} 1.959963984540054e0 * sqrt(
                        {{ numerator }} * (1e0 - {{ numerator }} / cast({{ denominator }} as double)) + 0.960364705173531e0
                    )
                ) / ({{ denominator }} + 3.841458820694124e0))
    end
{%- endmacro %}

{#- A share; null where the denominator is 0, or less than the numerator. -#}
{% macro share(numerator, denominator) -%}
    case
        when {{ denominator }} > 0 and {{ numerator }} <= {{ denominator }}
            then {{ numerator }} / cast({{ denominator }} as double)
    end
{%- endmacro %}

{#- A rate's five columns, from `<name>_numerator` and `<name>_denominator`. -#}
{% macro rate(name) -%}
    {%- set numerator = name ~ '_numerator' -%}
    {%- set denominator = name ~ '_denominator' -%}
    {{ numerator }},
    {{ denominator }},
    {{ share(numerator, denominator) }} as {{ name }},
    {{ wilson_limit(numerator, denominator, 'low') }} as {{ name }}_low,
    {{ wilson_limit(numerator, denominator, 'high') }} as {{ name }}_high
{%- endmacro %}

{#- Days as marts have them: whole. -#}
{% macro whole_days(days) -%}
    floor({{ days }} + 0.5)
{%- endmacro %}

{#- How many a median and a 90th percentile need: of fewer, they are a few children's own days. -#}
{% macro least_n() -%}
    {{ return({'median': 10, 'p90': 60}) }}
{%- endmacro %}

{#- A quantile of `n` durations in whole days; null of too few. `kind` is `median` or `p90`. -#}
{% macro shown_quantile(kind, days, n) -%}
    case when {{ n }} >= {{ least_n()[kind] }} then {{ whole_days(days) }} end
{%- endmacro %}

{#-
    A duration's four columns (number, mean, median, 90th percentile), over the rows that pass `condition` and have it.
    Whole days; quantiles are null of too few. With `key`, the rows' record key, also what a release makes of it: the number's key and `sum_with_largest`.
-#}
{% macro duration(name, days, condition, key=none) -%}
    {%- set known = condition ~ ' and ' ~ days ~ ' is not null' -%}
    {%- if key -%}
    {{ count_with_key(name ~ '_n', known, key) }},
    {{ sum_with_largest(name, days, known, key) }},
    {%- else -%}
    {{ count_where(known) }} as {{ name }}_n,
    {%- endif %}
    {{ whole_days('avg(' ~ days ~ ') filter (where ' ~ known ~ ')') }} as {{ name }}_mean_days,
    {%- for kind in ['median', 'p90'] %}
    cast({{ shown_quantile(kind, one_of_quantiles(days, [0.5, 0.9], loop.index, known), count_where(known)) }} as double)
        as {{ name }}_{{ kind }}_days{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A mean of days, from their exact sum and number, in whole days; null where the number is 0. -#}
{% macro mean_days(sum_days, n) -%}
    case when {{ n }} > 0 then {{ whole_days(sum_days ~ ' / cast(' ~ n ~ ' as double)') }} end
{%- endmacro %}
