select
    intervention_code,
    name as intervention_label,
    category as intervention_category,
    prevention_level,
    usual_form,
    evidence_based,
    description as intervention_description
from {{ ref('interventions') }}
