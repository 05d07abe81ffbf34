select left(reporting_quarter, 4) as year_label, sum(completion_rate_denominator)::integer as ended,
    sum(completion_rate_numerator)::integer as completed
from published.mart_service_interventions
where period_kind = 'kvartal'
  and district_basis = 'today' and district_code = 'stockholm' and cohort_basis = 'handelse' and cut = 'total'
group by all having count(*) = 4
