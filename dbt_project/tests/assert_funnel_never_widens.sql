select *
from {{ ref('mart_case_flow') }}
where
    persons > cases
    or decided > cases
    or investigations > decided
    or concluded > investigations
    or offered > concluded
    or accepted > offered
    or child_heard > concluded
    or school_contacted > concluded
