{%- set dimensions = [
    ['reason_side', 'reason_code'],
    ['source_code'],
    ['referral_type'],
    ['intervention_category', 'intervention_code'],
    ['history'],
    ['sex'],
    ['age_band'],
    ['socioeconomic'],
] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'cohort_basis'] -%}
{%- set cohorts = [
    ('inkommen', 'received_quarter', 'age_band_at_receipt', 'true'),
    ('avgjord', 'decided_quarter', 'age_band_at_decision', 'cases.is_decided'),
    ('avslutad', 'concluded_quarter', 'age_band_at_conclusion', 'cases.is_concluded'),
] -%}

with cohorts as (
    {%- for cohort_basis, quarter, age_band, condition in cohorts %}
    select
        cases.district_code,
        '{{ cohort_basis }}' as cohort_basis,
        cases.{{ quarter }} as reporting_quarter,
        cases.{{ age_band }} as age_band,
        cases.reason_side,
        cases.reason_code,
        cases.source_code,
        cases.referral_type,
        cases.intervention_category,
        cases.intervention_code,
        cases.history,
        cases.sex,
        cases.socioeconomic,
        cases.person_key,
        -- without a file of the quarter only those that later files still hold are known
        covered.district_code is null as is_survivor,
        '{{ cohort_basis }}' = 'avslutad' as is_of_conclusion,
        cases.is_decided,
        cases.is_investigated,
        cases.is_concluded,
        cases.is_offered,
        cases.is_answered,
        cases.is_accepted,
        cases.is_child_heard,
        cases.is_school_contacted,
        cases.is_lost,
        cases.is_linkable,
        -- a file that is missing can still come; from before the first one none is expected
        cases.is_ripening
        or (covered.district_code is null and cases.{{ quarter }} >= cases.first_known_quarter) as is_ripening
    from {{ ref('fct_case') }} as cases
    {{ join_quarter_covered('cases', quarter) }}
    where {{ condition }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- each case once in every unit that it counts in
counted as (
    {{ numbered_in_units('cohorts', keys) }}
),

marked as (
    select
        *,
        -- most children have one case in a quarter: only the others need to be told apart in every cut
        count(*) over (partition by told_number, person_key) = 1 as is_only_case
    from counted
),

told as (
    {{ told_quarters(keys) }}
),

cells as (
    select
        told_number,
        {{ cut_columns(dimensions) | indent(8) }},
        cast(count(*) as integer) as cases,
        {{ count_where('is_only_case') }}
        + cast(count(distinct person_key) filter (where not is_only_case) as integer) as persons,
        {{ count_where('is_decided') }} as decided,
        {{ count_where('is_investigated') }} as investigations,
        {{ count_where('is_concluded') }} as concluded,
        {{ count_where('is_offered') }} as offered,
        {{ count_where('is_accepted') }} as accepted,
        {{ count_where('is_child_heard') }} as child_heard,
        {{ count_where('is_school_contacted') }} as school_contacted,
        {{ count_where('is_lost') }} as lost,
        {{ count_where('not is_linkable') }} as unlinkable,
        {{ indicator_counts('investigation_rate', 'not is_of_conclusion and not is_survivor') | indent(8) }},
        {%- for rate_name in [
            'offer_rate', 'acceptance_rate', 'given_rate', 'child_heard_rate', 'school_contacted_rate'
        ] %}
        {{ indicator_counts(rate_name, 'is_of_conclusion and not is_survivor') | indent(8) }},
        {%- endfor %}
        bool_and(is_survivor) as is_survivors_only
    from marked
    group by {{ grouping_sets(['told_number'], dimensions) | indent(4) }}
)

select
    told.district_code,
    bases.district_basis,
    told.reporting_quarter,
    told.cohort_basis,
    {{ dimensions_of('cells', dimensions) }},
    cells.cases,
    cells.persons,
    cells.decided,
    cells.investigations,
    cells.concluded,
    cells.offered,
    cells.accepted,
    cells.child_heard,
    cells.school_contacted,
    {{ rate('investigation_rate') | indent(4) }},
    {{ rate('offer_rate') | indent(4) }},
    {{ rate('acceptance_rate') | indent(4) }},
    {{ rate('given_rate') | indent(4) }},
    {{ rate('child_heard_rate') | indent(4) }},
    {{ rate('school_contacted_rate') | indent(4) }},
    not told.is_ripening as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    cells.lost,
    cells.unlinkable
from cells
{{ join_told() }}
{{ join_completeness('arenden') }}
