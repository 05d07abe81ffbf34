{#- The days over which it is told whether an investigation is followed by a new one. -#}
{% macro follow_up_days() -%}
    {{ return([90, 180, 365]) }}
{%- endmacro %}

{% macro re_referral_codes() -%}
    {%- set found = [] -%}
    {%- for days in follow_up_days() -%}
        {%- do found.append('re_referral_rate_' ~ days) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- A transfer's start comes at most so many days after the conclusion that it follows. -#}
{% macro transfer_days() -%} 7 {%- endmacro %}

{#-
    Whether what ended on `ended` can be followed for `days`: by a person that can be linked, who does not turn 21
    within them, and with the last day known. `is_awaited` is the same but for that day, which is still to come.
-#}
{% macro is_followed(ended, days, followed_until, turns_21) -%}
    {{ is_followable(ended, days, turns_21) }}
    and {{ dbt.dateadd('day', days, ended) }} <= {{ followed_until }}
{%- endmacro %}

{% macro is_awaited(ended, days, followed_until, turns_21) -%}
    {{ is_followable(ended, days, turns_21) }}
    and {{ dbt.dateadd('day', days, ended) }} > {{ followed_until }}
{%- endmacro %}

{% macro is_followable(ended, days, turns_21) -%}
    {{ ended }} is not null and is_linkable
    and coalesce({{ turns_21 }} > {{ dbt.dateadd('day', days, ended) }}, true)
{%- endmacro %}

{#- Whether a new investigation began 1 to `days` days after what ended on `ended`. -#}
{% macro is_returned(ended, days, returned) -%}
    coalesce({{ returned }} > {{ ended }} and {{ returned }} <= {{ dbt.dateadd('day', days, ended) }}, false)
{%- endmacro %}

{#- Back within any of the periods that it has been followed for: one back within 90 days need not wait for day 365. -#}
{% macro is_back(rows) -%}
    {%- for days in follow_up_days() -%}
    {{ rows }}.is_returned_{{ days }}{{ " or " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Day of a birthday: 29 February falls on 28 February in years without it. -#}
{% macro birthday(birth_date, years) -%}
    cast({{ dbt.dateadd('year', years, birth_date) }} as date)
{%- endmacro %}

{#- The denominator of a rate summed over the reasons of return, so that each reason is a share of all followed. -#}
{% macro of_all_followed(rate, columns) -%}
    cast(sum({{ rate }}_denominator) over (
        partition by
            told_number, {{ columns | join(', ') }}, return_reason_side <> 'alla', return_reason_code <> 'alla'
    ) as integer)
{%- endmacro %}
