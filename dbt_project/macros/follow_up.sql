{#- The periods, in days, in which a new investigation counts as a return. -#}
{% macro follow_up_days() -%}
    {{ return([90, 180, 365]) }}
{%- endmacro %}

{#- The codes of the indicators of return, one for each period. -#}
{% macro re_referral_codes() -%}
    {%- set found = [] -%}
    {%- for days in follow_up_days() -%}
        {%- do found.append('re_referral_rate_' ~ days) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- A transfer: an investigation that another district starts at most so many days after the conclusion. -#}
{% macro transfer_days() -%} 7 {%- endmacro %}

{#-
    Whether what ended on the date `ended` has been followed for `days`: the person can be linked and does not turn 21
    before the last of these days, and the files reach that day.
-#}
{% macro is_followed(ended, days, followed_until, turns_21) -%}
    {{ can_be_followed(ended, days, turns_21) }}
    and {{ dbt.dateadd('day', days, ended) }} <= {{ followed_until }}
{%- endmacro %}

{#- The same, where the files do not reach that day yet. -#}
{% macro is_awaited(ended, days, followed_until, turns_21) -%}
    {{ can_be_followed(ended, days, turns_21) }}
    and {{ dbt.dateadd('day', days, ended) }} > {{ followed_until }}
{%- endmacro %}

{#- What both have in common: the date is known, the person can be linked and stays under 21. -#}
{% macro can_be_followed(ended, days, turns_21) -%}
    {{ ended }} is not null and is_linkable
    and coalesce({{ turns_21 }} > {{ dbt.dateadd('day', days, ended) }}, true)
{%- endmacro %}

{#- Whether a new investigation began 1 to `days` days after what ended on `ended`. -#}
{% macro is_returned(ended, days, returned) -%}
    coalesce({{ returned }} > {{ ended }} and {{ returned }} <= {{ dbt.dateadd('day', days, ended) }}, false)
{%- endmacro %}

{#- A return within any period that has been followed: a return within 90 days need not wait for day 365. -#}
{% macro is_returned_in_any_period(rows) -%}
    {%- for days in follow_up_days() -%}
    {{ rows }}.is_returned_{{ days }}{{ " or " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- The date of a birthday; of 29 February, 28 February in years without it. -#}
{% macro birthday(birth_date, years) -%}
    cast({{ dbt.dateadd('year', years, birth_date) }} as date)
{%- endmacro %}

{#-
    The denominator of a rate of return with its key, summed over the reasons of return: each reason is a share of all
    followed.
-#}
{% macro followed_denominator(rate, columns) -%}
    {%- set reasons = 'partition by group_number, ' ~ columns | join(', ')
        ~ ", return_reason_side <> 'alla', return_reason_code <> 'alla'" -%}
    cast(sum({{ rate }}_denominator) over ({{ reasons }}) as integer) as {{ rate }}_denominator,
    {{ as_key('sum(' ~ rate ~ '_denominator__key) over (' ~ reasons ~ ')') }} as {{ rate }}_denominator__key
{%- endmacro %}
