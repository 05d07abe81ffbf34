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
