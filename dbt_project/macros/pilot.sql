{#- The indicators that the pilot is judged by: the four goals of early support. -#}
{% macro goal_codes() -%}
    {{ return(['within_60_days_rate', 're_referral_rate_365', 'acceptance_rate', 'completion_rate']) }}
{%- endmacro %}

{#- The four rates of the comparison, each with its sign in the difference in differences. -#}
{% macro pilot_cells() -%}
    {{ return([('pilot_before_rate', -1), ('pilot_after_rate', 1), ('line_before_rate', 1), ('line_after_rate', -1)]) }}
{%- endmacro %}

{#- Difference in differences of the four rates: (pilot after - pilot before) - (line after - line before), in shares. -#}
{% macro difference_in_differences() -%}
    {%- for cell, sign in pilot_cells() -%}
        {{ " + " if sign > 0 and not loop.first }}{{ " - " if sign < 0 and not loop.first }}{{ "-" if sign < 0 and loop.first }}
        {{- share(cell ~ '_numerator', cell ~ '_denominator') }}
    {%- endfor -%}
{%- endmacro %}

{#-
    The standard error of that difference, as of a sum of four independent shares, sqrt(sum of p (1 - p) / n): the
    heteroscedasticity-robust (HC0) standard error of the interaction in the linear probability model with period,
    group and their product, which is saturated (J. D. Angrist, J.-S. Pischke, Mostly Harmless Econometrics, 2009,
    ch. 3 and 5; H. White, Econometrica 48, 1980).
-#}
{% macro difference_standard_error() -%}
    sqrt(
    {%- for cell, sign in pilot_cells() %}
        {{ "+ " if not loop.first }}{{ cell }}_numerator * cast({{ cell }}_denominator - {{ cell }}_numerator as double)
        / nullif(power({{ cell }}_denominator, 3), 0)
    {%- endfor %}
    )
{%- endmacro %}

{#- Whether an interval is shown: each cell has at least five in and five out of the numerator (normal approximation). -#}
{% macro difference_is_estimable() -%}
    {%- for cell, sign in pilot_cells() -%}
        {{ " and " if not loop.first }}least({{ cell }}_numerator, {{ cell }}_denominator - {{ cell }}_numerator) >= 5
    {%- endfor -%}
{%- endmacro %}

{#- Numerator and denominator of each of the four cells with their keys, summed over rows of counts. -#}
{% macro pilot_cell_counts() -%}
    {%- for cell, sign in pilot_cells() -%}
        {%- set is_of_it = ('' if 'pilot' in cell else 'not ') ~ 'is_pilot_area and ' ~ ('' if 'after' in cell else 'not ') ~ 'is_after' -%}
        {%- for part in ['numerator', 'denominator'] -%}
            {{ sum_cells_with_key(cell ~ '_' ~ part, is_of_it, count='cell_' ~ part) }}
            {{- "," if not loop.last }}
{% endfor -%}
        {{ "," if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
