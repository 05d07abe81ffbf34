-- The city's funnel per quarter. Cases and investigations belong to the quarter in which the case came in; concluded,
-- offered and accepted to the quarter in which the investigation was concluded. Quarters before the first one sent hold
-- only cases that were still open then and are left out.
with totals as (
    select *
    from marts.mart_case_flow
    where
        period_kind = 'kvartal'
        and district_code in (select district_code from core.dim_district where kind = 'city')
        and district_basis = 'as_submitted'
        and not is_survivors_only
        and columns([
            'reason_side', 'reason_code', 'source_code', 'referral_type', 'intervention_category', 'intervention_code',
            'history', 'sex', 'age_band', 'socioeconomic'
        ]) = 'alla'
)

select
    received.reporting_quarter as quarter,
    received.cases,
    received.investigation_rate_denominator as decided,
    received.investigation_rate_numerator as investigations,
    concluded.offer_rate_denominator as concluded,
    concluded.offer_rate_numerator as offered,
    concluded.acceptance_rate_denominator as answered,
    concluded.acceptance_rate_numerator as accepted
from totals as received
inner join totals as concluded
    on received.reporting_quarter = concluded.reporting_quarter and concluded.cohort_basis = 'avslutad'
where received.cohort_basis = 'inkommen'
order by quarter
