{%- set breakdowns = [
    'case_key', 'reason_side', 'reason_code', 'source_code', 'referral_type', 'intervention_category', 'intervention_code',
    'history', 'sex', 'socioeconomic', 'pilot_from_date',
] -%}

with cases as (
    select
        cases.*,
        {{ age_on('cases.birth_date', 'cases.received_date') }} as age_at_receipt,
        {{ age_on('cases.birth_date', 'cases.decided_date') }} as age_at_decision,
        {{ age_on('cases.birth_date', 'cases.investigation_start_date') }} as age_at_start,
        {{ age_on('cases.birth_date', 'cases.investigation_end_date') }} as age_at_conclusion
    from {{ ref('int_cases__in_force') }} as cases
),

placed as (
    select
        cases.*,
        reasons.side as reason_side,
        interventions.category as intervention_category,
        areas.socioeconomic,
        areas.pilot_from as pilot_from_date,
        coalesce(cases.is_investigation_opened and cases.investigation_end_date is not null, false) as is_concluded,
        -- the furthest step that the child had reached before this case, by the district's answer or by earlier rows
        case
            when
                cases.has_earlier_intervention
                or traces.first_intervention_start_date < cases.received_date then 'helped'
            when
                cases.has_earlier_investigation
                or traces.first_investigation_start_date < cases.received_date then 'investigated'
            when
                cases.has_earlier_report
                or traces.first_received_date < cases.received_date then 'reported'
            when
                coalesce(
                    cases.has_earlier_report, cases.has_earlier_investigation, cases.has_earlier_intervention
                ) is not null then 'none'
            else 'okand'
        end as history
    from cases
    left join {{ ref('reasons') }} as reasons
        on cases.reason_code = reasons.reason_code
    left join {{ ref('interventions') }} as interventions
        on cases.intervention_code = interventions.intervention_code
    left join {{ ref('areas') }} as areas
        on cases.last_district_code = areas.district_code and cases.area_code = areas.area_code
    left join {{ ref('int_persons__first_seen') }} as traces
        on cases.person_key = traces.person_key
),

described as (
    select
        -- ids
        case_key,
        person_key,
        district_code,
        last_district_code,
        coalesce(area_code, 'okand') as area_code,
        submission_id,
        source_file_sha256,
        source_row_number,

        -- quarters
        first_reporting_quarter,
        last_reporting_quarter,
        first_known_quarter,
        {{ quarter_of('received_date') }} as received_quarter,
        {{ quarter_of('decided_date') }} as decided_quarter,
        {{ quarter_of('investigation_start_date') }} as started_quarter,
        {{ quarter_of('investigation_end_date') }} as concluded_quarter,

        -- strings
        referral_type,
        application_concerns,
        coalesce(source_code, 'okand') as source_code,
        coalesce(reason_side, 'okand') as reason_side,
        coalesce(reason_code, 'okand') as reason_code,
        other_reason_codes,
        lives_with_parent_concerned,
        not_opened_reason,
        referred_to_code,
        case
            when is_concluded and is_offered then coalesce(intervention_category, 'okand')
            else 'ingen'
        end as intervention_category,
        case
            when is_concluded and is_offered then coalesce(intervention_code, 'okand')
            else 'ingen'
        end as intervention_code,
        acceptance,
        history,
        coalesce(sex, 'okant') as sex,
        coalesce(socioeconomic, 'okand') as socioeconomic,
        {{ age_band('age_at_receipt') }} as age_band_at_receipt,
        {{ age_band('age_at_decision') }} as age_band_at_decision,
        {{ age_band('age_at_start') }} as age_band_at_start,
        {{ age_band('age_at_conclusion') }} as age_band_at_conclusion,

        -- numerics
        age_at_receipt,
        age_at_decision,
        age_at_start,
        age_at_conclusion,
        offered_intervention_count,

        -- booleans: the funnel, each step counts only cases of the step before
        decided_date is not null as is_decided,
        coalesce(is_investigation_opened, false) as is_investigated,
        is_concluded,
        coalesce(is_concluded and is_offered, false) as is_offered,
        coalesce(is_concluded and is_offered and acceptance in ('ja', 'nej'), false) as is_answered,
        coalesce(is_concluded and is_offered and acceptance = 'ja', false) as is_accepted,
        coalesce(is_concluded and is_child_heard, false) as is_child_heard,
        coalesce(is_concluded and is_school_contacted, false) as is_school_contacted,
        {{ dbt.dateadd('day', 14, 'received_date') }} <= as_of_date as is_due_14_days,
        -- a decision without a date does not count as in time
        coalesce(
            is_investigation_opened is not null
            and coalesce(pre_assessment_done_date, investigation_start_date)
            <= {{ dbt.dateadd('day', 14, 'received_date') }},
            false
        ) as is_decided_within_14_days,
        has_earlier_report,
        has_earlier_investigation,
        has_earlier_intervention,
        is_linkable,
        is_birth_date_exact,
        is_open,
        is_lost,
        is_ripening,

        -- dates
        received_date,
        pre_assessment_done_date,
        decided_date,
        investigation_start_date,
        investigation_extended_to_date,
        investigation_end_date,
        cast(pilot_from_date as date) as pilot_from_date,
        as_of_date,
        submitted_at
    from placed
)

select
    described.*,

    -- keys of what is counted
    {{ record_key(breakdowns + ['age_band_at_receipt', pilot_or_line('received_date')]) }} as received_record_key,
    {{ record_key(breakdowns + ['age_band_at_decision', pilot_or_line('decided_date')]) }} as decided_record_key,
    {{ record_key(breakdowns + [
        'age_band_at_conclusion', pilot_or_line('investigation_end_date'), 'is_offered', 'is_answered', 'is_accepted',
        'is_child_heard',
    ]) }} as concluded_record_key,
    {{ record_key(['person_key']) }} as person_record_key
from described
