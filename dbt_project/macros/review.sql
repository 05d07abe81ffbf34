{#-
    What districts' own reviews have counted, for a date of the review's own. Both are columns for a select over
    `fct_investigation`, limited to the investigations begun in the review's period; `until` is a date in SQL.
    Persons who can't be linked are left out of both.
-#}

{#-
    Of investigations concluded by `until`, those whose person has a later investigation begun by `until`: numerator and
    denominator. Early ones have had longer to be followed by another than late ones, so it is no rate to compare years
    by; `re_referral_rate_365` is.
-#}
{% macro re_referred_by_date(until) -%}
    {{ rate_counts(
        're_referred_by_date',
        'coalesce(next_investigation_start_date <= ' ~ until ~ ', false)',
        'is_linkable and coalesce(investigation_end_date <= ' ~ until ~ ', false)'
    ) }}
{%- endmacro %}

{#-
    Of persons investigated, those who by `until` have been so more than once, as the district says (has been
    investigated before) or as another investigation begun by `until`, in any district, shows.
-#}
{% macro repeat_investigated_share(until) -%}
    cast(count(distinct case
        when is_linkable and (has_earlier_investigation or other_investigation_start_date <= {{ until }}) then person_key
    end) as integer) as repeat_investigated_share_numerator,
    cast(count(distinct case when is_linkable then person_key end) as integer)
        as repeat_investigated_share_denominator
{%- endmacro %}
