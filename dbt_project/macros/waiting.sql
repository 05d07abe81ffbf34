{#-
    The bands in which waiting is counted: column, first whole day, last whole day. The last band is open: it has no last
    day.
-#}
{% macro waiting_bands() -%}
    {{ return([
        ('waited_0_7_days', 0, 7), ('waited_8_14_days', 8, 14), ('waited_15_30_days', 15, 30),
        ('waited_31_90_days', 31, 90), ('waited_over_90_days', 91, none),
    ]) }}
{%- endmacro %}

{#-
    Waits of a file's row, from its counts in bands and its sum of days, either of which may be empty: each band's count,
    their number, how many of them have their days in the sum (the denominator of the mean), and the sum.
-#}
{% macro reported_waits(row) -%}
    {%- set known = [] -%}
    {%- for column, first_day, last_day in waiting_bands() %}
    {%- do known.append('coalesce(' ~ row ~ '.' ~ column ~ '_count, 0)') %}
    {{ known[-1] }} as {{ column }}_count,
    {%- endfor %}
    {%- set known = known | join(' + ') %}
    cast({{ known }} as integer) as wait_known_count,
    cast(case when {{ row }}.wait_sum_days is not null then {{ known }} else 0 end as integer) as wait_summed_count,
    case when {{ known }} > 0 then coalesce({{ row }}.wait_sum_days, 0) else 0 end as wait_sum_days
{%- endmacro %}

{#- The band that holds the median of `n` waits, by its column's name; null when n = 0. -#}
{% macro grouped_median_band(n) -%}
    {%- set below = namespace(counts='0') -%}
    case
    {%- for column, first_day, last_day in waiting_bands() %}
        {%- set below.counts = below.counts ~ ' + ' ~ column %}
        when {{ n }} > 0 and 2 * ({{ below.counts }}) >= {{ n }} then '{{ column | replace("waited_", "") }}'
    {%- endfor %}
    end
{%- endmacro %}

{#-
    The median of grouped whole days, interpolated in its band: L + (n/2 - F) / f * w. L and w are the band's lower limit
    and width (L = first day - 0.5, w = its number of days), F is the count below the band and f the count in it. Null when
    the median is in the open last band.
-#}
{% macro grouped_median_days(n) -%}
    {%- set below = namespace(counts='0') -%}
    case
    {%- for column, first_day, last_day in waiting_bands() %}
        when {{ n }} > 0 and 2 * ({{ below.counts }} + {{ column }}) >= {{ n }}
            then
                {%- if last_day is none %} null
                {%- else %}
                {{ first_day }} - 0.5
                + ({{ n }} / 2.0 - ({{ below.counts }})) / cast({{ column }} as double) * {{ last_day - first_day + 1 }}
                {%- endif %}
        {%- set below.counts = below.counts ~ ' + ' ~ column %}
    {%- endfor %}
    end
{%- endmacro %}

{#- The same as marts have it: in whole days, null of too few. -#}
{% macro shown_grouped_median_days(n) -%}
    {{ shown_quantile('median', '(' ~ grouped_median_days(n) ~ ')', n) }}
{%- endmacro %}

{#-
    The variance of waiting days, from the counts in bands. Each wait is taken to be its band's middle day, plus the
    variance of an even spread over the band (width^2 / 12). A wait in the open last band is taken to be the mean of the
    days that are left of the exact sum, at least the band's first day. Expects the counts as `<band>_count`, their number
    `n` and the exact mean.
-#}
{% macro grouped_variance(n, mean) -%}
    {%- set sums = namespace(days='0', squares='0') -%}
    {%- for column, first_day, last_day in waiting_bands() if last_day is not none -%}
        {%- set middle = (first_day + last_day) / 2 -%}
        {%- set width = last_day - first_day + 1 -%}
        {%- set sums.days = sums.days ~ ' + ' ~ middle ~ ' * ' ~ column ~ '_count' -%}
        {%- set sums.squares = sums.squares ~ ' + ' ~ (middle * middle + width * width / 12) ~ ' * ' ~ column ~ '_count' -%}
    {%- endfor -%}
    {%- set column, first_day, last_day = waiting_bands()[-1] -%}
    greatest(
        (
            {{ sums.squares }}
            + case
                when {{ column }}_count > 0
                    then {{ column }}_count * power(
                        greatest({{ first_day }}, ({{ mean }} * {{ n }} - ({{ sums.days }})) / {{ column }}_count), 2
                    )
                else 0
            end
        ) / {{ n }} - power({{ mean }}, 2),
        0
    )
{%- endmacro %}

{#-
    The variance that one wait adds to a grouped median: 1 / (4 f^2), where f is the density at the median, the share of
    the waits in its band divided by the band's days. Divided by n it is the usual large-sample variance of a median.
-#}
{% macro grouped_median_variance(n) -%}
    {%- set below = namespace(counts='0') -%}
    case
    {%- for column, first_day, last_day in waiting_bands() %}
        {%- set below.counts = below.counts ~ ' + ' ~ column ~ '_count' %}
        when {{ n }} > 0 and 2 * ({{ below.counts }}) >= {{ n }}
            then
                {%- if last_day is none %} null
                {%- else %} power({{ last_day - first_day + 1 }} * {{ n }} / (2 * cast({{ column }}_count as double)), 2)
                {%- endif %}
    {%- endfor %}
    end
{%- endmacro %}
