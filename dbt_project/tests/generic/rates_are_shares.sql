{#- Passes when each rate is from 0 to 1, within its interval, and null only where its denominator gives no share. -#}
{% test rates_are_shares(model, columns) %}

select *
from {{ model }}
where
    false
    {%- for rate in columns %}
    or {{ rate }} not between 0 and 1
    or {{ rate }} < {{ rate }}_low - 1e-9
    or {{ rate }} > {{ rate }}_high + 1e-9
    or {{ rate }}_low < 0
    or {{ rate }}_high > 1
    or ({{ rate }} is null) <> ({{ rate }}_denominator = 0 or {{ rate }}_numerator > {{ rate }}_denominator)
    {%- endfor %}

{% endtest %}
