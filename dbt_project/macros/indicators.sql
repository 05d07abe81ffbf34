{#-
    Every indicator over cases, investigations and episodes, written once. By its code:
    `basis`  the cohort that it is a rate of, as in `cohorts()`,
    `scope`  which rows of the cohort it is about at all,
    `of`     the denominator, `reached` the numerator among it,
    `awaited` rows of the scope that time or a coming file can still bring into the denominator,
    `ripening` rows that can still change the rate, where that is more than the awaited.
    What could not yet have happened is not in the denominator: the facts' flags say what is due, followed, answered.
-#}
{% macro indicators() -%}
    {%- set found = {
        'pre_assessment_14_days_rate': {
            'basis': 'inkommen', 'scope': "referral_type = 'anmalan'", 'of': 'is_due_14_days',
            'reached': 'is_decided_within_14_days', 'awaited': 'not is_due_14_days and not is_lost',
        },
        'investigation_rate': {
            'basis': 'avgjord', 'scope': 'is_decided', 'of': 'is_decided', 'reached': 'is_investigated', 'awaited': 'false',
        },
        'within_60_days_rate': {
            'basis': 'paborjad', 'scope': 'true', 'of': 'is_due_60_days', 'reached': 'is_within_60_days',
            'awaited': 'not is_due_60_days and not is_lost',
        },
        'offer_rate': {
            'basis': 'avslutad', 'scope': 'is_concluded', 'of': 'is_concluded', 'reached': 'is_offered', 'awaited': 'false',
        },
        'acceptance_rate': {
            'basis': 'avslutad', 'scope': 'is_offered', 'of': 'is_answered', 'reached': 'is_accepted',
            'awaited': 'not is_answered and is_ripening',
        },
        'given_rate': {
            'basis': 'avslutad', 'scope': 'is_concluded', 'of': 'is_concluded', 'reached': 'is_accepted',
            'awaited': 'false', 'ripening': 'is_offered and not is_answered and is_ripening',
        },
        'child_heard_rate': {
            'basis': 'avslutad', 'scope': 'is_concluded', 'of': 'is_concluded', 'reached': 'is_child_heard',
            'awaited': 'false',
        },
        'school_contacted_rate': {
            'basis': 'avslutad', 'scope': 'is_concluded', 'of': 'is_concluded', 'reached': 'is_school_contacted',
            'awaited': 'false',
        },
        'not_started_90_days_rate': {
            'basis': 'beslutad', 'scope': 'true', 'of': 'is_due_90_days', 'reached': 'is_not_started_90_days',
            'awaited': 'not is_due_90_days and not is_lost',
        },
        'completion_rate': {
            'basis': 'upphord', 'scope': "end_reason not in ('flytt', 'overflyttad', 'avliden', 'ej_paborjad')",
            'of': "end_reason not in ('flytt', 'overflyttad', 'avliden', 'ej_paborjad')",
            'reached': "end_reason = 'fullfoljd'", 'awaited': 'false',
        },
        'follow_up_rate': {
            'basis': 'upphord', 'scope': "end_reason <> 'ej_paborjad'", 'of': 'is_due_follow_up',
            'reached': 'is_followed_up', 'awaited': 'not is_due_follow_up',
            'ripening': 'not is_due_follow_up or is_follow_up_open',
        },
    } -%}
    {%- for ages, condition in [('0_17', 'is_under_18_at_start'), ('18_20', 'is_18_20_at_start')] -%}
        {%- do found.update({'within_4_months_rate_' ~ ages: {
            'basis': 'paborjad', 'scope': condition, 'of': 'is_due_4_months', 'reached': 'is_within_4_months',
            'awaited': 'not is_due_4_months and not is_lost',
        }}) -%}
    {%- endfor -%}
    {%- for days in follow_up_days() -%}
        {%- do found.update({'re_referral_rate_' ~ days: {
            'basis': 'avslutad', 'scope': 'is_concluded', 'of': 'is_followed_' ~ days, 'reached': 'is_returned_' ~ days,
            'awaited': 'is_awaited_' ~ days,
        }}) -%}
    {%- endfor -%}
    {%- for ages, first, last in [('0_12', 0, 12), ('13_20', 13, 20)] -%}
        {%- do found.update({'re_referral_kkik_' ~ ages: {
            'basis': 'allt_avslutat', 'scope': 'age_at_closing between ' ~ first ~ ' and ' ~ last,
            'of': 'is_followed_365', 'reached': 'not is_returned_365', 'awaited': 'is_awaited_365',
        }}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Numerator and denominator of an indicator, counted over rows that pass `condition`; none pass `false`. -#}
{% macro indicator_counts(code, condition='true') -%}
    {%- if condition == 'false' -%}
    0 as {{ code }}_numerator,
    0 as {{ code }}_denominator
    {%- else -%}
    {%- set indicator = indicators()[code] -%}
    {{ rate_counts(code, indicator.reached, '(' ~ indicator.scope ~ ') and (' ~ indicator.of ~ ') and ' ~ condition) }}
    {%- endif -%}
{%- endmacro %}

{#-
    Where each cohort's rows stand: the fact, the event that places a row in its quarter, and the dataset whose file of
    that quarter must be in force. A cohort's name is its `cohort_basis`.
-#}
{% macro cohorts() -%}
    {{ return({
        'inkommen': {
            'fact': 'fct_case', 'quarter': 'received_quarter', 'date': 'received_date',
            'age_band': 'age_band_at_receipt', 'dataset': 'arenden',
        },
        'avgjord': {
            'fact': 'fct_case', 'quarter': 'decided_quarter', 'date': 'decided_date',
            'age_band': 'age_band_at_decision', 'dataset': 'arenden',
        },
        'paborjad': {
            'fact': 'fct_investigation', 'quarter': 'started_quarter', 'date': 'investigation_start_date',
            'age_band': 'age_band_at_start', 'dataset': 'arenden',
        },
        'avslutad': {
            'fact': 'fct_investigation', 'quarter': 'concluded_quarter', 'date': 'investigation_end_date',
            'age_band': 'age_band_at_conclusion', 'dataset': 'arenden',
        },
        'allt_avslutat': {
            'fact': 'fct_closing', 'quarter': 'closed_quarter', 'date': 'closing_date',
            'age_band': 'age_band_at_closing', 'dataset': 'arenden',
        },
        'beslutad': {
            'fact': 'fct_outpatient_episode', 'quarter': 'decided_quarter', 'date': 'decision_date',
            'age_band': 'age_band_at_decision', 'dataset': 'oppenvard',
        },
        'upphord': {
            'fact': 'fct_outpatient_episode', 'quarter': 'ended_quarter', 'date': 'end_date',
            'age_band': 'age_band_at_end', 'dataset': 'oppenvard',
        },
    }) }}
{%- endmacro %}

{#- The codes of the indicators of one cohort. -#}
{% macro indicators_of(basis) -%}
    {%- set found = [] -%}
    {%- for code, indicator in indicators().items() if indicator.basis == basis -%}
        {%- do found.append(code) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Whether what happened on a date was done as in the pilot; areas that are not known are not of it. -#}
{% macro work_form(date) -%}
    case when pilot_from_date <= {{ date }} then 'pilot' else 'linje' end
{%- endmacro %}

{#-
    Whether a cohort's row lies before its unit's first file, so that only survivors are known. Of cases every quarter
    needs its file (`fct_quarter_covered` tells); an ended episode stays in the files.
-#}
{% macro is_before_first_file(cohort) -%}
    {{ "rows_told." ~ cohort.quarter ~ " < rows_told.first_known_quarter" if cohort.dataset == 'oppenvard' else "false" }}
{%- endmacro %}

{#- What an indicator is about, what is awaited of it, what can still change it, and its rate's counts, by its code. -#}
{% macro indicator_columns(code) -%}
    {%- set indicator = indicators()[code] -%}
    {%- set in_scope = '(' ~ indicator.scope ~ ')' -%}
    {%- set closings = cohorts()[indicator.basis].fact == 'fct_closing' -%}
    {{ count_where(in_scope) }} as {{ code }}_in_scope,
    {{ count_where(in_scope ~ ' and (' ~ indicator.awaited ~ ')') }} as {{ code }}_awaited,
    coalesce(bool_or({{ in_scope }} and ({{ indicator.ripening or indicator.awaited }})), false) as {{ code }}_is_ripening,
    {{ '0' if closings else count_where(in_scope ~ ' and is_lost') }} as {{ code }}_lost,
    {{ '0' if closings else count_where(in_scope ~ ' and not is_linkable') }} as {{ code }}_unlinkable,
    {{ indicator_counts(code) }}
{%- endmacro %}
