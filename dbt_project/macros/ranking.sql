{#-
    The standard normal quantile for `k` simultaneous confidence intervals: all of them hold with 95 %, each by itself at
    the level 0.95^(1/k) (Z. Sidak, JASA 62, 1967). Null for k = 0 and for more than twenty.
-#}
{% macro sidak_z(k) -%}
    case {{ k }}
    {%- for z in [
        1.959964, 2.236477, 2.387738, 2.490915, 2.568763, 2.631038, 2.682801, 2.727008, 2.765530, 2.799625,
        2.830181, 2.857843, 2.883097, 2.906317, 2.927798, 2.947775, 2.966439, 2.983946, 3.000428, 3.015995,
    ] %}
        when {{ loop.index }} then {{ z }}
    {%- endfor %}
    end
{%- endmacro %}

{#-
    A limit of the score interval of a share or of a rate per exposure, at the quantile `z`. For a share Wilson's (JASA
    22, 1927): (n + z^2/2 -/+ z * sqrt(n * (d - n) / d + z^2/4)) / (d + z^2). For a count over an exposure, Poisson's
    counterpart: (n + z^2/2 -/+ z * sqrt(n + z^2/4)) / d. Null without a denominator, and for a share over 1.
-#}
{% macro score_limit(numerator, denominator, z, side, is_share) -%}
    case
        when {{ denominator }} > 0{% if is_share %} and {{ numerator }} <= {{ denominator }}{% endif %}
            then {{ "greatest(0e0, " if side == "low" else ("least(1e0, " if is_share else "(") }}(
                {{ numerator }} + {{ z }} * {{ z }} / 2 {{ "-" if side == "low" else "+" }} {{ z }} * sqrt(
                    {{ numerator }}
                    {%- if is_share %} * (1 - {{ numerator }} / cast({{ denominator }} as double)){% endif %}
                    + {{ z }} * {{ z }} / 4
                )
            ) / ({{ denominator }}{% if is_share %} + {{ z }} * {{ z }}{% endif %}))
    end
{%- endmacro %}

{#-
    Each district's rank among the rows with the same `keys`, highest `score` first, with the lowest and highest rank that
    its interval allows. A district is surely behind those whose whole interval is above its own, and surely ahead of
    those whose whole interval is below. With simultaneous 95 % intervals the ranks hold with 95 % too (M. Klein,
    T. Wright and J. Wieczorek, "A joint confidence region for an overall ranking of populations", JRSS C 69, 2020).

    Reads `scores`: `keys`, `district_code`, `score`, `score_low`, `score_high`. Makes `district_rank`,
    `district_rank_low`, `district_rank_high`, and `ranked_districts`, how many they are.
-#}
{% macro district_ranks(scores, keys) -%}
    select
        {%- for key in keys %}
        mine.{{ key }},
        {%- endfor %}
        mine.district_code,
        cast(1 + count(case when others.score > mine.score then 1 end) as integer) as district_rank,
        cast(1 + count(case when others.score_low > mine.score_high then 1 end) as integer) as district_rank_low,
        cast(count(*) - count(case when others.score_high < mine.score_low then 1 end) as integer) as district_rank_high,
        cast(count(*) as integer) as ranked_districts
    from {{ scores }} as mine
    inner join {{ scores }} as others
        on
            {%- for key in keys %}
            {{ "and " if not loop.first }}mine.{{ key }} = others.{{ key }}
            {%- endfor %}
    group by {% for key in keys %}mine.{{ key }}, {% endfor %}mine.district_code
{%- endmacro %}

{#-
    A limit of a measure's confidence interval at the quantile `z`, by the form of the measure: score limits for shares and
    rates per 1,000, else the value plus or minus z standard errors. Expects the columns of `fct_district_measure`, and
    `noise_variance`.
-#}
{% macro measure_limit(z, side) -%}
    case measure_form
        when 'andel' then {{ score_limit('numerator', 'denominator', z, side, true) }}
        when 'per_1000' then {{ score_limit('numerator', 'sample_size', z, side, false) }}
        else case
            when noise_variance is not null
                then {{ "greatest(0, value - " if side == "low" else "(value + " }}{{ z }} * sqrt(noise_variance / sample_size))
        end
    end
{%- endmacro %}

{#- A value of a measure as its mart has it: days are whole. Expects the alias `limited`, with the measure's form. -#}
{% macro value_as_shown(column) -%}
    cast(case
        when limited.measure_form in ('medel', 'median') then {{ whole_days(column) }}
        else {{ column }}
    end as double)
{%- endmacro %}
