-- Counts add up to the city in both divisions, cut by cut; distinct persons do not and are left out.
{%- set marts = [
    ('mart_case_flow', ['cohort_basis', 'reason_side', 'reason_code', 'source_code', 'referral_type',
        'intervention_category', 'intervention_code', 'history', 'sex', 'age_band', 'socioeconomic'],
        'cases + decided + investigations + concluded + offered + accepted + lost'),
    ('mart_outpatient_care', ['intervention_category', 'intervention_code', 'target_group', 'sex', 'age_band',
        'provider'], 'decided + started + ended + ongoing + waiting + sessions'),
    ('mart_service_interventions', ['intervention_category', 'intervention_code', 'target_group', 'sex', 'age_band',
        'referred_from'], 'started + ongoing + completed + interrupted + sessions + followed_up + queue'),
    ('mart_submission_status', ['dataset'], 'files_expected + files_in_force + late + row_count + attempts'),
] %}
{%- for mart, dimensions, measures in marts %}
select
    '{{ mart }}' as mart,
    district_basis,
    reporting_quarter
from {{ ref(mart) }}
group by district_basis, reporting_quarter, {{ dimensions | join(', ') }}
having
    sum(case when district_code = 'stockholm' then {{ measures }} else 0 end)
    <> sum(case when district_code = 'stockholm' then 0 else {{ measures }} end)
{%- if not loop.last %}

union all
{% endif %}
{%- endfor %}
