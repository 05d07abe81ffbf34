with flow as (
    select
        period_kind,
        period,
        max(case when cohort_basis = 'inkommen' then cases end) as inkomna_arenden,
        max(case when cohort_basis = 'avgjord' then investigations end) as inledda_utredningar,
        max(case when cohort_basis = 'avslutad' then concluded end) as avslutade_utredningar,
        max(case when cohort_basis = 'avslutad' then offered end) as erbjudna_insats,
        max(case when cohort_basis = 'avslutad' then accepted end) as tackat_ja,
        max(case when cohort_basis = 'avgjord' then investigation_rate end) as andel_utredda,
        max(case when cohort_basis = 'avslutad' then offer_rate end) as andel_erbjudna,
        max(case when cohort_basis = 'avslutad' then districts_in_force end) as stadsdelar_med_uppgift,
        max(case when cohort_basis = 'avslutad' then districts_expected end) as stadsdelar_forvantade,
        bool_or(is_provisional) as preliminar
    from published.mart_case_flow
    where district_code = whole_code() and district_basis = 'today' and cut = 'total'
    group by period_kind, period
),

goals as (
    select
        period_kind,
        period,
        count(distinct indicator_code) = 4 as are_all,
        bool_or(rate is null) as is_any_too_few,
        max(case when indicator_code = 'within_60_days_rate' then rate end) as andel_inom_60_dagar,
        max(case when indicator_code = 're_referral_rate_365' then rate end) as andel_ater,
        max(case when indicator_code = 'acceptance_rate' then rate end) as andel_tackat_ja,
        max(case when indicator_code = 'completion_rate' then rate end) as andel_fullfoljda
    from published.mart_goal_indicators
    where
        district_code = whole_code() and district_basis = 'today' and cut = 'total'
        and indicator_code in ('within_60_days_rate', 're_referral_rate_365', 'acceptance_rate', 'completion_rate')
    group by period_kind, period
)

select
    flow.period_kind as periodtyp,
    flow.period,
    flow.inkomna_arenden,
    flow.inledda_utredningar,
    flow.avslutade_utredningar,
    flow.erbjudna_insats,
    flow.tackat_ja,
    service.started as paborjade_serviceinsatser,
    outpatient.started as paborjad_oppenvard,
    clinic.visits as besok_ungdomsmottagning,
    flow.andel_utredda,
    flow.andel_erbjudna,
    goals.andel_inom_60_dagar,
    goals.andel_ater,
    goals.andel_tackat_ja,
    goals.andel_fullfoljda,
    flow.stadsdelar_med_uppgift,
    flow.stadsdelar_forvantade,
    flow.andel_utredda is null or flow.andel_erbjudna is null or coalesce(goals.is_any_too_few, false) as for_fa,
    (
        not coalesce(goals.are_all, false)
        or service.started is null
        or outpatient.started is null
        or clinic.visits is null
    ) as vantar_pa_tid,
    flow.preliminar
from flow
left join goals on flow.period_kind = goals.period_kind and flow.period = goals.period
left join published.mart_service_interventions as service
    on
        service.district_code = whole_code()
        and service.district_basis = 'today'
        and service.cut = 'total'
        and flow.period_kind = service.period_kind
        and flow.period = service.period
left join published.mart_outpatient_care as outpatient
    on
        outpatient.district_code = whole_code()
        and outpatient.district_basis = 'today'
        and outpatient.cut = 'total'
        and flow.period_kind = outpatient.period_kind
        and flow.period = outpatient.period
left join published.mart_youth_clinic as clinic
    on
        clinic.district_code = whole_code()
        and clinic.district_basis = 'today'
        and clinic.cut = 'total'
        and flow.period_kind = clinic.period_kind
        and flow.period = clinic.period
