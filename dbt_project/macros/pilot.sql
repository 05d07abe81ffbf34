{#- The indicators that the pilot is judged by: the four goals of early support. -#}
{% macro goal_codes() -%}
    {{ return(['within_60_days_rate', 're_referral_rate_365', 'acceptance_rate', 'completion_rate']) }}
{%- endmacro %}

{#- The four rates of the comparison, each with its sign in the difference in differences. -#}
{% macro pilot_cells() -%}
    {{ return([('pilot_before_rate', -1), ('pilot_after_rate', 1), ('line_before_rate', 1), ('line_after_rate', -1)]) }}
{%- endmacro %}

{#- The fewest areas of each group for an interval: of fewer, their spread says too little. -#}
{% macro fewest_areas() -%}
    {{ return({'pilot': 3, 'line': 5}) }}
{%- endmacro %}

{#- The fewest quarters before the start that make a trend. -#}
{% macro fewest_trend_quarters() -%}
    {{ return(3) }}
{%- endmacro %}

{#-
    The 97.5 % quantile of Student's t with `df` degrees of freedom, by its expansion about the normal quantile (M. Abramowitz,
    I. Stegun, Handbook of Mathematical Functions, 26.7.5): within 0.001 from six degrees on.
-#}
{% macro student_quantile(df) -%}
    (
        1.959963984540054e0 + 2.372271e0 / {{ df }} + 2.822499e0 / power({{ df }}, 2) + 2.555850e0 / power({{ df }}, 3)
        + 1.589534e0 / power({{ df }}, 4)
    )
{%- endmacro %}

{#- That two relations have the same keys. -#}
{% macro same_keys(one, other, keys) -%}
    {%- for key in keys -%}
        {{ " and " if not loop.first }}{{ one }}.{{ key }} = {{ other }}.{{ key }}
    {%- endfor -%}
{%- endmacro %}

{#-
    The CTE `<effects>_compared`: the weighted means of an area's figure over the pilot areas and over the others, and their
    difference with its interval. Areas are the units: cases of one area are not independent of each other. The variance is
    pooled over both groups, as a few pilot areas can't say their own (S. Donald, K. Lang, Review of Economics and Statistics
    89, 2007). Reads the CTE `effects`: `keys`, `is_pilot_area`, `figure`, `weight`, one row per area.
-#}
{% macro compared_by_area(effects, keys) -%}
{{ effects }}_means as (
    select
        *,
        sum(weight * figure) over within_group / sum(weight) over within_group as group_mean
    from {{ effects }}
    where weight > 0
    -- in one order, as two builds must give the same figures to the last digit
    window within_group as (
        partition by {{ keys | join(', ') }}, is_pilot_area order by area_code
        rows between unbounded preceding and unbounded following
    )
),

{{ effects }}_summed as (
    select
        {{ keys | join(', ') }},
        cast(count(case when is_pilot_area then 1 end) as integer) as pilot_areas,
        cast(count(case when not is_pilot_area then 1 end) as integer) as line_areas,
        max(case when is_pilot_area then group_mean end) as pilot_mean,
        max(case when not is_pilot_area then group_mean end) as line_mean,
        1 / {{ in_order('sum', 'case when is_pilot_area then weight end', 'area_code') }}
        + 1 / {{ in_order('sum', 'case when not is_pilot_area then weight end', 'area_code') }} as inverse_weight,
        {{ in_order('sum', 'weight * power(figure - group_mean, 2)', 'area_code') }} / nullif(count(*) - 2, 0)
            as unit_variance
    from {{ effects }}_means
    group by {{ keys | join(', ') }}
),

{{ effects }}_estimated as (
    select
        *,
        pilot_mean - line_mean as difference,
        case
            when pilot_areas >= {{ fewest_areas().pilot }} and line_areas >= {{ fewest_areas().line }}
                then sqrt(unit_variance * inverse_weight)
        end as standard_error
    from {{ effects }}_summed
),

{{ effects }}_compared as (
    select
        *,
        difference - {{ student_quantile('(pilot_areas + line_areas - 2)') | indent(8) }} * standard_error
            as difference_low,
        difference + {{ student_quantile('(pilot_areas + line_areas - 2)') | indent(8) }} * standard_error
            as difference_high
    from {{ effects }}_estimated
)
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
