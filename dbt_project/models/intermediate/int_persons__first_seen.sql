with traces as (
    select
        person_key,
        received_date,
        investigation_start_date,
        null as intervention_start_date
    from {{ ref('int_cases__in_force') }}
    where is_linkable

    union all

    select
        person_key,
        null as received_date,
        null as investigation_start_date,
        start_date as intervention_start_date
    from {{ ref('int_episodes__in_force') }}
    where is_linkable
)

select
    person_key,
    min(received_date) as first_received_date,
    min(investigation_start_date) as first_investigation_start_date,
    min(intervention_start_date) as first_intervention_start_date
from traces
group by person_key
