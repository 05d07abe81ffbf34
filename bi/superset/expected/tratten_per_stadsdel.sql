with flow as (
    select district_label, reporting_quarter, cases as value,
        map {'inkommen': '1 Inkomna ärenden', 'avgjord': '2 Avgjorda ärenden',
            'avslutad': '4 Avslutade utredningar'}[cohort_basis] as step_label
    from published.mart_case_flow
    where period_kind = 'kvartal'
      and district_basis = 'today' and cut = 'total'
),
goals as (
    select district_label, reporting_quarter, numerator as value,
        map {'investigation_rate': '3 Utredning inledd', 'offer_rate': '5 Erbjudna insats',
            'acceptance_rate': '6 Tackat ja'}[indicator_code] as step_label
    from published.mart_goal_indicators
    where period_kind = 'kvartal'
      and district_basis = 'today' and cut = 'total'
        and indicator_code in ('investigation_rate', 'offer_rate', 'acceptance_rate')
),
steps as (from flow union all from goals)
select district_label, step_label, value from steps
where reporting_quarter = (
    select reporting_quarter from steps where district_label = 'Stockholms stad' group by all having count(distinct step_label) = 6 order by 1 desc limit 1
)
