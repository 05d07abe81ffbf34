{#-
    The standard normal quantile that makes `k` intervals hold together with 95 %: each at the level 0.95^(1/k)
    (Z. Sidak, JASA 62, 1967). Null for none or more than twenty.
-#}
{% macro joint_z(k) -%}
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
    Each unit's rank among those with the same `keys`, highest `score` first, and the ranks that its figure allows: it
    is surely behind those whose whole interval lies above its own and surely ahead of those whose whole interval lies
    below. With intervals that hold together with 95 %, so do the ranks (M. Klein, T. Wright and J. Wieczorek, "A joint
    confidence region for an overall ranking of populations", JRSS C 69, 2020). Reads the rows of `ranked`: keys,
    `unit`, `score`, `score_low`, `score_high`.
-#}
{% macro rank_counts(ranked, keys, unit) -%}
    select
        {%- for key in keys %}
        mine.{{ key }},
        {%- endfor %}
        mine.{{ unit }},
        cast(1 + count(case when others.score > mine.score then 1 end) as integer) as place,
        cast(1 + count(case when others.score_low > mine.score_high then 1 end) as integer) as place_low,
        cast(count(*) - count(case when others.score_high < mine.score_low then 1 end) as integer) as place_high,
        cast(count(*) as integer) as placed_districts
    from {{ ranked }} as mine
    inner join {{ ranked }} as others
        on
            {%- for key in keys %}
            {{ "and " if not loop.first }}mine.{{ key }} = others.{{ key }}
            {%- endfor %}
    group by {% for key in keys %}mine.{{ key }}, {% endfor %}mine.{{ unit }}
{%- endmacro %}

{#-
    A limit of a measure's interval at the quantile `z`, by its form: score limits of shares and of rates per 1,000, else
    the value plus or minus z standard errors. Expects the columns of `fct_district_measure`, and `noise_variance`.
-#}
{% macro measure_limit(z, side) -%}
    case measure_form
        when 'andel' then {{ score_limit('numerator', 'denominator', z, side, true) }}
        when 'per_1000' then {{ score_limit('numerator', 'sample_size', z, side, false) }}
        else {{ "greatest(0, value - " if side == "low" else "(value + " }}{{ z }} * sqrt(noise_variance / sample_size))
    end
{%- endmacro %}
