{#-
    The bands in which waiting is counted: column, first and last whole day. The last band has no end.
-#}
{% macro waiting_bands() -%}
    {{ return([
        ('waited_0_7_days', 0, 7), ('waited_8_14_days', 8, 14), ('waited_15_30_days', 15, 30),
        ('waited_31_90_days', 31, 90), ('waited_over_90_days', 91, none),
    ]) }}
{%- endmacro %}

{#- The band that holds the middle of the waiting counts, by its column's name; null when nobody's wait is known. -#}
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
    The median of grouped whole days, interpolated in its band: L + (n/2 - F) / f * w, where the band's true limits lie
    half a day outside its first and last day (L = first day - 0.5, w = its number of days), F is the count below it
    and f the count in it. Null when the median lies in the last band, which has no end.
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

{#-
    The variance of waiting days from the counts in their bands: each band stands for its middle day, plus the spread
    within it as if even (width^2 / 12). The open last band stands for what is left of the days added up, at least its
    first day. Expects the counts as `<band>_count`, their number `n` and the exact mean.
-#}
{% macro grouped_variance(n, mean) -%}
    {%- set told = namespace(days='0', squares='0') -%}
    {%- for column, first_day, last_day in waiting_bands() if last_day is not none -%}
        {%- set middle = (first_day + last_day) / 2 -%}
        {%- set width = last_day - first_day + 1 -%}
        {%- set told.days = told.days ~ ' + ' ~ middle ~ ' * ' ~ column ~ '_count' -%}
        {%- set told.squares = told.squares ~ ' + ' ~ (middle * middle + width * width / 12) ~ ' * ' ~ column ~ '_count' -%}
    {%- endfor -%}
    {%- set column, first_day, last_day = waiting_bands()[-1] -%}
    greatest(
        (
            {{ told.squares }}
            + case
                when {{ column }}_count > 0
                    then {{ column }}_count * power(
                        greatest({{ first_day }}, ({{ mean }} * {{ n }} - ({{ told.days }})) / {{ column }}_count), 2
                    )
                else 0
            end
        ) / {{ n }} - power({{ mean }}, 2),
        0
    )
{%- endmacro %}

{#-
    The variance that one wait adds to a grouped median: 1 / (4 f^2), where f = share of the median's band per day is
    the density there (the usual large-sample variance of a median, divided by n it is the median's).
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
