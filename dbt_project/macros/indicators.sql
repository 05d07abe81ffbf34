{#-
    Every indicator over cases, investigations and episodes, defined once, by its code. A condition is SQL over the
    columns of the cohort's fact:
    `cohort_basis`  the cohort that it is a rate of, as in `cohorts()`,
    `scope`         the rows of the cohort that it is about,
    `denominator`   the rows of the scope that count, `numerator` those of them that reached what is measured,
    `awaited`       the rows of the scope that can still enter the denominator, by time or by a coming file,
    `numerator_key` the record key of the numerator's rows, where it is another than the cohort's,
    `ripening`      the rows that can still change the rate, where these are more than the awaited.
    A row in which the event could not yet have happened is not in the denominator: the facts' flags say what is due,
    followed or answered.
-#}
{% macro indicators() -%}
    {%- set found = {
        'pre_assessment_14_days_rate': {
            'cohort_basis': 'inkommen', 'scope': "referral_type = 'anmalan'", 'denominator': 'is_due_14_days',
            'numerator': 'is_decided_within_14_days', 'awaited': 'not is_due_14_days and not is_lost',
        },
        'investigation_rate': {
            'cohort_basis': 'avgjord', 'scope': 'is_decided', 'denominator': 'is_decided', 'numerator': 'is_investigated', 'awaited': 'false',
        },
        'within_60_days_rate': {
            'cohort_basis': 'paborjad', 'scope': 'true', 'denominator': 'is_due_60_days', 'numerator': 'is_within_60_days',
            'awaited': 'not is_due_60_days and not is_lost',
        },
        'offer_rate': {
            'cohort_basis': 'avslutad', 'scope': 'is_concluded', 'denominator': 'is_concluded', 'numerator': 'is_offered', 'awaited': 'false',
        },
        'acceptance_rate': {
            'cohort_basis': 'avslutad', 'scope': 'is_offered', 'denominator': 'is_answered', 'numerator': 'is_accepted',
            'awaited': 'not is_answered and is_ripening',
        },
        'given_rate': {
            'cohort_basis': 'avslutad', 'scope': 'is_concluded', 'denominator': 'is_concluded', 'numerator': 'is_accepted',
            'awaited': 'false', 'ripening': 'is_offered and not is_answered and is_ripening',
        },
        'child_heard_rate': {
            'cohort_basis': 'avslutad', 'scope': 'is_concluded', 'denominator': 'is_concluded', 'numerator': 'is_child_heard',
            'awaited': 'false',
        },
        'school_contacted_rate': {
            'cohort_basis': 'avslutad', 'scope': 'is_concluded', 'denominator': 'is_concluded', 'numerator': 'is_school_contacted',
            'awaited': 'false',
        },
        'not_started_90_days_rate': {
            'cohort_basis': 'beslutad', 'scope': 'true', 'denominator': 'is_due_90_days', 'numerator': 'is_not_started_90_days',
            'awaited': 'not is_due_90_days and not is_lost',
        },
        'completion_rate': {
            'cohort_basis': 'upphord', 'scope': "end_reason not in ('flytt', 'overflyttad', 'avliden', 'ej_paborjad')",
            'denominator': "end_reason not in ('flytt', 'overflyttad', 'avliden', 'ej_paborjad')",
            'numerator': "end_reason = 'fullfoljd'", 'awaited': 'false',
        },
        'follow_up_rate': {
            'cohort_basis': 'upphord', 'scope': "end_reason <> 'ej_paborjad'", 'denominator': 'is_due_follow_up',
            'numerator': 'is_followed_up', 'awaited': 'not is_due_follow_up',
            'ripening': 'not is_due_follow_up or is_follow_up_open',
        },
    } -%}
    {%- for ages, condition in [('0_17', 'is_under_18_at_start'), ('18_20', 'is_18_20_at_start')] -%}
        {%- do found.update({'within_4_months_rate_' ~ ages: {
            'cohort_basis': 'paborjad', 'scope': condition, 'denominator': 'is_due_4_months', 'numerator': 'is_within_4_months',
            'awaited': 'not is_due_4_months and not is_lost',
        }}) -%}
    {%- endfor -%}
    {%- for days in follow_up_days() -%}
        {%- do found.update({'re_referral_rate_' ~ days: {
            'cohort_basis': 'avslutad', 'scope': 'is_concluded', 'denominator': 'is_followed_' ~ days, 'numerator': 'is_returned_' ~ days,
            'numerator_key': 'return_record_key', 'awaited': 'is_awaited_' ~ days,
        }}) -%}
    {%- endfor -%}
    {%- for ages, first, last in [('0_12', 0, 12), ('13_20', 13, 20)] -%}
        {%- do found.update({'re_referral_kkik_' ~ ages: {
            'cohort_basis': 'allt_avslutat', 'scope': 'age_at_closing between ' ~ first ~ ' and ' ~ last,
            'denominator': 'is_followed_365', 'numerator': 'not is_returned_365', 'awaited': 'is_awaited_365',
        }}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#-
    Numerator and denominator of an indicator, counted over the rows that pass `condition`, with their keys. `key` is the
    rows' record key; none means the cohort's.
-#}
{% macro indicator_counts(code, condition='true', key=none) -%}
    {%- set indicator = indicators()[code] -%}
    {{ rate_counts_with_keys(
        code, indicator.numerator, '(' ~ indicator.scope ~ ') and (' ~ indicator.denominator ~ ') and ' ~ condition,
        key or cohorts()[indicator.cohort_basis].record_key, indicator.numerator_key
    ) }}
{%- endmacro %}

{#- Which of `counts`, pairs of a name and a condition, counts the rows that pass `condition`: its name. -#}
{% macro count_of(counts, condition) -%}
    {%- for count, counts_when in counts if counts_when == condition -%}
        {{ return(count) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error('nothing counts ' ~ condition) }}
{%- endmacro %}

{#-
    The cohorts, by `cohort_basis`: the fact that holds the rows, the event that decides a row's quarter (its quarter, date
    and age band), its record key, and the dataset whose file of that quarter must be in force.
-#}
{% macro cohorts() -%}
    {{ return({
        'inkommen': {
            'fact': 'fct_case', 'quarter': 'received_quarter', 'date': 'received_date',
            'age_band': 'age_band_at_receipt', 'dataset': 'arenden', 'record_key': 'received_record_key',
        },
        'avgjord': {
            'fact': 'fct_case', 'quarter': 'decided_quarter', 'date': 'decided_date',
            'age_band': 'age_band_at_decision', 'dataset': 'arenden', 'record_key': 'decided_record_key',
        },
        'paborjad': {
            'fact': 'fct_investigation', 'quarter': 'started_quarter', 'date': 'investigation_start_date',
            'age_band': 'age_band_at_start', 'dataset': 'arenden', 'record_key': 'started_record_key',
        },
        'avslutad': {
            'fact': 'fct_investigation', 'quarter': 'concluded_quarter', 'date': 'investigation_end_date',
            'age_band': 'age_band_at_conclusion', 'dataset': 'arenden', 'record_key': 'concluded_record_key',
        },
        'allt_avslutat': {
            'fact': 'fct_closing', 'quarter': 'closed_quarter', 'date': 'closing_date',
            'age_band': 'age_band_at_closing', 'dataset': 'arenden', 'record_key': 'record_key',
        },
        'beslutad': {
            'fact': 'fct_outpatient_episode', 'quarter': 'decided_quarter', 'date': 'decision_date',
            'age_band': 'age_band_at_decision', 'dataset': 'oppenvard', 'record_key': 'decided_record_key',
        },
        'upphord': {
            'fact': 'fct_outpatient_episode', 'quarter': 'ended_quarter', 'date': 'end_date',
            'age_band': 'age_band_at_end', 'dataset': 'oppenvard', 'record_key': 'ended_record_key',
        },
    }) }}
{%- endmacro %}

{#- The codes of the indicators of one cohort. -#}
{% macro indicator_codes(cohort_basis) -%}
    {%- set found = [] -%}
    {%- for code, indicator in indicators().items() if indicator.cohort_basis == cohort_basis -%}
        {%- do found.append(code) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- `pilot` if the child's area was a pilot area on the date, else `linje`, also where the area is not known. -#}
{% macro pilot_or_line(date) -%}
    case when pilot_from_date <= {{ date }} then 'pilot' else 'linje' end
{%- endmacro %}

{#-
    Whether a cohort's row is from before its unit's first file: then only the survivors are known. Only episodes are
    asked, as an ended episode stays in the files. Of cases, every quarter needs its own file (`fct_quarter_covered`).
    Expects the alias `facts`.
-#}
{% macro is_before_first_file(cohort) -%}
    {{ "facts." ~ cohort.quarter ~ " < facts.first_known_quarter" if cohort.dataset == 'oppenvard' else "false" }}
{%- endmacro %}

{#-
    The columns of an indicator, named by its code: in scope, awaited, ripening, lost, unlinkable, and the rate's counts.
    What a release publishes of them has its keys.
-#}
{% macro indicator_columns(code) -%}
    {%- set indicator = indicators()[code] -%}
    {%- set in_scope = '(' ~ indicator.scope ~ ')' -%}
    {%- set key = cohorts()[indicator.cohort_basis].record_key -%}
    {%- set closings = cohorts()[indicator.cohort_basis].fact == 'fct_closing' -%}
    {{ count_with_key(code ~ '_in_scope', in_scope, key) }},
    {{ count_with_key(code ~ '_awaited', in_scope ~ ' and (' ~ indicator.awaited ~ ')', key) }},
    coalesce(bool_or({{ in_scope }} and ({{ indicator.ripening or indicator.awaited }})), false) as {{ code }}_is_ripening,
    {{ '0' if closings else count_where(in_scope ~ ' and is_lost') }} as {{ code }}_lost,
    {{ '0' if closings else count_where(in_scope ~ ' and not is_linkable') }} as {{ code }}_unlinkable,
    {{ indicator_counts(code) }}
{%- endmacro %}
