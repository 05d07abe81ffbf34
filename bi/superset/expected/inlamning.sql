select district_label, left(reporting_quarter, 4) || ' kv ' || right(reporting_quarter, 1) as quarter_label,
    map {'i_kraft': 'I kraft', 'delvis': 'Delvis', 'avvisad': 'Avvisad', 'saknas': 'Saknas', 'vantas': 'Väntas',
        'frivillig': 'Frivillig'}[state] as state_label,
    files_expected, files_in_force, files_on_time, open_queries::integer as open_queries, files_in_force / files_expected as completeness_rate,
    files_on_time / files_expected as timeliness_rate
from published.mart_submission_status
where period_kind = 'kvartal'
  and district_basis = 'as_submitted' and dataset = 'alla'
    and reporting_quarter = (select max(reporting_quarter) from published.mart_submission_status)
