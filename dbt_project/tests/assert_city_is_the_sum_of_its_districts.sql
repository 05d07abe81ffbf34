-- Counts add up to the city, in both divisions, every period and every breakdown. Distinct persons do not, and are left
-- out.
{%- set marts = [
    ('mart_case_flow', ['cohort_basis', 'reason_side', 'reason_code', 'source_code', 'referral_type',
        'intervention_category', 'intervention_code', 'history', 'sex', 'age_band', 'socioeconomic'],
        'cases + decided + investigations + concluded + offered + accepted + lost'),
    ('mart_outpatient_care', ['intervention_category', 'intervention_code', 'target_group', 'sex', 'age_band',
        'provider', 'legal_ground'], 'decided + started + ended + ongoing + waiting + sessions'),
    ('mart_service_interventions', ['intervention_category', 'intervention_code', 'target_group', 'sex', 'age_band',
        'referred_from', 'legal_ground'], 'started + ongoing + completed + interrupted + sessions + followed_up + queue'),
    ('mart_activities', ['activity_type', 'activity_level', 'theme', 'audience'], 'activities + participants'),
    ('mart_protection_follow_up', ['time_of_week'],
        'interviews + home_without_placement + followed_up_same_day + followed_up_within_3_days'),
    ('mart_recruitment', ['cohort_basis', 'intervention_category', 'intervention_code'],
        'cohort_groups + groups_started + groups_cancelled + seats + participants + completed + lost'),
    ('mart_routines', ['unit_kind', 'directed_at'], 'routines + routines_in_place + districts_with_routine'),
    ('mart_supply', ['intervention_category', 'intervention_code', 'form', 'directed_at', 'legal_ground'],
        'districts_offering + districts_planning + supply_offered + supply_planned + supply_discontinued'),
    ('mart_support_groups', ['directed_at'], 'coalesce(districts_offering + districts_planning, 0)'
        ' + coalesce(groups_started + groups_ended + groups_cancelled + children, 0)'
        ' + coalesce(groups_planned + groups_running, 0)'),
    ('mart_waiting_times', ['wait_kind', 'intervention_category', 'intervention_code'],
        'wait_n + waited_over_90_days + coalesce(queue, 0)'),
    ('mart_youth_clinic', ['clinic', 'sex', 'clinic_age_band'], 'visits + new_visitors + digital_visits + wait_n'),
    ('mart_goal_indicators', ['indicator_code', 'sex', 'age_band', 'socioeconomic', 'pilot'],
        'in_scope + awaited + numerator + denominator + lost + unlinkable'),
    ('mart_intervention_chain', ['intervention_category', 'intervention_code', 'sex', 'age_band'],
        'offered + accepted + linked + started + ended + completed + goal_reached + followed_up'),
    ('mart_investigation_times', ['reason_side', 'sex', 'age_band', 'socioeconomic'],
        'investigations + concluded + investigation_time_n + lost'),
    ('mart_re_referral', ['offer_outcome', 'child_heard_answer', 'reason_side', 'reason_code', 'history', 'sex',
        'age_band', 'socioeconomic', 'return_reason_side', 'return_reason_code'],
        'concluded + transferred + re_referral_rate_90_numerator + re_referral_rate_365_numerator'),
    ('mart_submission_status', ['dataset'], 'files_expected + files_in_force + late + row_count + attempts'),
] %}
{%- for mart, dimensions, measures in marts %}
select
    '{{ mart }}' as mart,
    district_basis,
    period_kind,
    period
from {{ ref(mart) }}
group by district_basis, period_kind, period, {{ dimensions | join(', ') }}
having
    sum(case when district_code = {{ whole_code() }} then {{ measures }} else 0 end)
    <> sum(case when district_code = {{ whole_code() }} then 0 else {{ measures }} end)
{%- if not loop.last %}

union all
{% endif %}
{%- endfor %}
