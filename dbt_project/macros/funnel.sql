{#-
    How far districts vary when they do not differ: limits and flags of a funnel plot. The method, with its sources, is in
    docs/decisions/0059.
-#}

{#- Standard normal quantiles of the two lines: 95 % and 99.8 %. -#}
{% macro funnel_lines() -%}
    {{ return({'funnel': '1.959964', 'outer_funnel': '3.090232'}) }}
{%- endmacro %}

{#- The mean of squared winsorised deviations (10 % at each end) of a standard normal: 0.8 - 2 * 1.2816 * 0.1755 + 0.2 * 1.2816^2. -#}
{% macro winsorised_square() -%}
    0.678677e0
{%- endmacro %}

{#-
    The chance variance of a district's value, overdispersion included. Counts per inhabitants come in multiples (one child
    gives several attendances, one group many), so their variance is multiplied. Shares and days are of single persons:
    what else differs between districts does not shrink with the district, so a variance is added (D. Spiegelhalter,
    Quality and Safety in Health Care 14, 2005).
-#}
{% macro overdispersed_variance() -%}
    case
        when measure_form = 'per_1000' then overdispersion_factor * noise_variance / sample_size
        else noise_variance / sample_size + overdispersion_variance
    end
{%- endmacro %}

{#-
    A line of the funnel, `z` standard errors from the city's value. Days are skewed: their limits are those of a gamma
    distribution with the same mean and variance, by its cube root (E. B. Wilson and M. M. Hilferty, PNAS 17, 1931).
    Expects `city_value` and `standard_error`, with overdispersion.
-#}
{% macro funnel_line(z, side) -%}
    {%- set sign = '-' if side == 'low' else '+' -%}
    case
        -- some engines take the greatest of 0 and null as 0
        when standard_error is null then null
        when standard_error = 0 then city_value
        when measure_form in ('medel', 'median')
            then city_value * power(
                greatest(
                    0, 1 - power(standard_error / city_value, 2) / 9 {{ sign }} {{ z }} * standard_error / city_value / 3
                ),
                3
            )
        {%- if side == 'low' %}
        else greatest(0, city_value - {{ z }} * standard_error)
        {%- else %}
        when measure_form = 'andel' then least(1, city_value + {{ z }} * standard_error)
        else city_value + {{ z }} * standard_error
        {%- endif %}
    end
{%- endmacro %}

{#- The lines as columns: the wider of the funnel's and the exact one. Expects the aliases `scored` and `exact`. -#}
{% macro drawn_lines() -%}
    {%- for line, z in funnel_lines().items() %}
        least({{ funnel_line(z, 'low') }}, exact.exact_{{ line }}_low) as {{ line }}_low,
        greatest({{ funnel_line(z, 'high') }}, exact.exact_{{ line }}_high) as {{ line }}_high
        {{- "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- How many standard errors a district is from the city, on the scale of `funnel_line`. -#}
{% macro funnel_deviation() -%}
    case
        when standard_error = 0 then 0
        when measure_form in ('medel', 'median')
            then 3 * city_value / standard_error
                * (cbrt(value / city_value) - 1 + power(standard_error / city_value, 2) / 9)
        else (value - city_value) / standard_error
    end
{%- endmacro %}

{#-
    The CTEs `effective`, `tails` and `exact`: limits and tails of the binomial or Poisson distribution, of districts with
    fewer than fifty expected on either side. Overdispersion makes the sample smaller: of 40 attendances that come four at
    a time, 10 are drawn. Reads `scored`. `exact` has for each `measure_key` the `exact_p` (twice the smaller tail) and a
    low and high value for each line; a value outside them has less than half of the line's chance on its side.

    The probability of each count is the one before times (n - x + 1) / x * p / (1 - p), or times m / x.
-#}
{% macro exact_limits() -%}
effective as (
    select
        measure_key,
        measure_form,
        -- a share above a half is counted by those who are not in it
        measure_form = 'andel' and city_value > 0.5 as is_turned,
        sample_size * chance_variance / power(standard_error, 2) as exact_size,
        case when measure_form = 'andel' then least(city_value, 1 - city_value) else city_value end as expected_share,
        case when measure_form = 'andel' and city_value > 0.5 then 1 - value else value end as share
    from scored
    where measure_form in ('andel', 'per_1000') and standard_error > 0
),

sized as (
    select
        measure_key,
        measure_form,
        is_turned,
        exact_size,
        expected_share,
        cast(case when measure_form = 'andel' then greatest(1, round(exact_size)) end as integer) as drawn,
        exact_size * expected_share as expected,
        cast(
            round(share * case when measure_form = 'andel' then greatest(1, round(exact_size)) else exact_size end)
            as integer
        ) as reached
    from effective
    where exact_size * expected_share < 50
),

probabilities as (
    select
        sized.*,
        counts.x,
        exp(
            case when sized.measure_form = 'andel' then sized.drawn * ln(1 - sized.expected_share) else -sized.expected end
            + sum(
                case
                    when counts.x = 0 then 0
                    when sized.measure_form = 'andel'
                        then
                            ln(sized.drawn - counts.x + 1) - ln(counts.x)
                            + ln(sized.expected_share) - ln(1 - sized.expected_share)
                    else ln(sized.expected) - ln(counts.x)
                end
            ) over so_far
        ) as probability
    from sized
    inner join range(200) as counts (x)
        on counts.x <= coalesce(sized.drawn, 199)
    window so_far as (
        partition by sized.measure_key order by counts.x rows between unbounded preceding and current row
    )
),

tails as (
    select
        *,
        sum(probability) over (
            partition by measure_key order by x rows between unbounded preceding and current row
        ) as at_most
    from probabilities
),

counted as (
    select
        measure_key,
        is_turned,
        case when measure_form = 'andel' then drawn else exact_size end as counted_size,
        -- a count beyond those computed has no chance
        coalesce(max(case when x = reached then at_most end), 1) as chance_of_at_most,
        1 - coalesce(max(case when x = reached - 1 then at_most end), case when reached = 0 then 0 else 1 end)
            as chance_of_at_least,
        {%- for line, z in funnel_lines().items() %}
        {%- set chance = {'funnel': 0.05, 'outer_funnel': 0.002}[line] %}
        min(case when at_most > {{ chance / 2 }} then x end) as {{ line }}_fewest,
        min(case when at_most >= {{ 1 - chance / 2 }} then x end) as {{ line }}_most
        {{- "," if not loop.last }}
        {%- endfor %}
    from tails
    group by measure_key, measure_form, is_turned, drawn, exact_size, reached
),

exact as (
    select
        measure_key,
        2 * least(chance_of_at_most, chance_of_at_least) as exact_p,
        {%- for line in funnel_lines() %}
        case when is_turned then 1 - {{ line }}_most / counted_size else {{ line }}_fewest / counted_size end
            as exact_{{ line }}_low,
        case when is_turned then 1 - {{ line }}_fewest / counted_size else {{ line }}_most / counted_size end
            as exact_{{ line }}_high
        {{- "," if not loop.last }}
        {%- endfor %}
    from counted
)
{%- endmacro %}
