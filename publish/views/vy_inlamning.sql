select
    district_code as stadsdel,
    period_kind as periodtyp,
    period,
    dataset as uppgiftstyp,
    state as lage,
    files_expected as forvantade_filer,
    files_in_force as filer_i_kraft,
    files_on_time as filer_i_tid,
    deadline_date as sista_dag,
    row_count as rader,
    error_count as fel,
    attempts as forsok,
    open_queries as oppna_fragor
from published.mart_submission_status
where district_basis = 'today' and cut = 'dataset' and district_code <> whole_code()
