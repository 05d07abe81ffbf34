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
    ('inkommen', 'received_quarter', 'age_band_at_receipt', 'true', ['investigation_rate']),
    ('avgjord', 'decided_quarter', 'age_band_at_decision', 'is_decided', ['investigation_rate']),
    ('avslutad', 'concluded_quarter', 'age_band_at_conclusion', 'is_concluded', [
        'offer_rate', 'acceptance_rate', 'given_rate', 'child_heard_rate', 'school_contacted_rate'
    ]),
] -%}
{%- set columns = dimensions | sum(start=[]) -%}
{%- set rates = cohorts[1][4] + cohorts[2][4] -%}
{%- set counts = [
    ('decided', 'is_decided'),
    ('investigations', 'is_investigated'),
    ('concluded', 'is_concluded'),
    ('offered', 'is_offered'),
    ('accepted', 'is_accepted'),
    ('child_heard', 'is_child_heard'),
    ('school_contacted', 'is_school_contacted'),
    ('lost', 'is_lost'),
    ('unlinkable', 'not is_linkable'),
] -%}

with quarters as (
    {%- for cohort_basis, quarter, age_band, condition, told_rates in cohorts %}
    select
        district_code,
        '{{ cohort_basis }}' as cohort_basis,
        {{ quarter }} as reporting_quarter,
        min(first_known_quarter) as first_known_quarter,
        bool_or(is_ripening) as is_ripening
    from {{ ref('fct_case') }}
    where {{ condition }}
    group by district_code, {{ quarter }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

known as (
    select
        quarters.district_code,
        quarters.cohort_basis,
        quarters.reporting_quarter,
        -- without a file of the quarter only those that later files still hold are known
        covered.district_code is null as is_survivor,
        -- a file that is missing can still come; from before the first one none is expected
        quarters.is_ripening
        or (covered.district_code is null and quarters.reporting_quarter >= quarters.first_known_quarter)
            as is_ripening
    from quarters
    {{ join_quarter_covered('quarters', 'reporting_quarter') }}
),

-- each quarter of a unit once in every unit that it counts in
numbered_quarters as (
    {{ numbered_in_units('known', keys) }}
),

counted as (
    select
        *,
        count(*) over (partition by told_number) = 1 as is_alone
    from numbered_quarters
),

told as (
    {{ told_quarters(keys) }}
),

-- cases are counted in the unit that has them: the other units' counts are sums of these
counted_at_home as (
    {%- for cohort_basis, quarter, age_band, condition, told_rates in cohorts %}
    select
        district_code,
        '{{ cohort_basis }}' as cohort_basis,
        {{ quarter }} as reporting_quarter,
        {{ cut_columns(dimensions) | indent(8) }},
        {%- for count, counts_when in counts %}
        {{ count_where(counts_when) }} as {{ count }},
        {%- endfor %}
        {%- for rate_name in rates %}
        {{ indicator_counts(rate_name, 'true' if rate_name in told_rates else 'false') | indent(8) }},
        {%- endfor %}
        cast(count(*) as integer) as cases
    from (
        select
            *,
            {{ age_band }} as age_band
        from {{ ref('fct_case') }}
        where {{ condition }}
    ) as cases
    group by {{ grouping_sets(['district_code', quarter], dimensions) | indent(4) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- a unit's own counts are what it has; the city and merged units are sums of several
summed as (
    select
        places.told_number,
        {{ dimensions_of('counted_at_home', dimensions) | indent(4) }},
        {{ sum_of('counted_at_home.cases') }} as cases,
        {%- for count, counts_when in counts %}
        {{ sum_of('counted_at_home.' ~ count) }} as {{ count }},
        {%- endfor %}
        {%- for rate_name in rates %}
        {%- for part in ['numerator', 'denominator'] %}
        {{ sum_of('counted_at_home.' ~ rate_name ~ '_' ~ part, 'not places.is_survivor') }}
            as {{ rate_name }}_{{ part }},
        {%- endfor %}
        {%- endfor %}
        bool_and(places.is_survivor) as is_survivors_only
    from counted_at_home
    inner join counted as places
        on
            {{ counts_in_place('counted_at_home', keys) }}
    where not places.is_alone
    group by places.told_number, {{ dimensions_of('counted_at_home', dimensions) | indent(4) }}

    union all

    select
        places.told_number,
        {{ dimensions_of('counted_at_home', dimensions) | indent(4) }},
        counted_at_home.cases,
        {%- for count, counts_when in counts %}
        counted_at_home.{{ count }},
        {%- endfor %}
        {%- for rate_name in rates %}
        {%- for part in ['numerator', 'denominator'] %}
        case when places.is_survivor then 0 else counted_at_home.{{ rate_name }}_{{ part }} end
            as {{ rate_name }}_{{ part }},
        {%- endfor %}
        {%- endfor %}
        places.is_survivor as is_survivors_only
    from counted_at_home
    inner join counted as places
        on
            {{ counts_in_place('counted_at_home', keys) }}
    where places.is_alone
),

-- most children have one case in a quarter: only the others need to be told apart in every cut
repeated as (
    {%- for cohort_basis, quarter, age_band, condition, told_rates in cohorts %}
    select
        '{{ cohort_basis }}' as cohort_basis,
        {{ quarter }} as reporting_quarter,
        person_key
    from {{ ref('fct_case') }}
    where {{ condition }}
    group by {{ quarter }}, person_key
    having count(*) > 1
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

numbered as (
    select
        *,
        row_number() over () as person_number
    from repeated
),

repeated_cases as (
    {%- for cohort_basis, quarter, age_band, condition, told_rates in cohorts %}
    select
        cases.district_code,
        '{{ cohort_basis }}' as cohort_basis,
        cases.{{ quarter }} as reporting_quarter,
        numbered.person_number,
        {%- for column in columns if column != 'age_band' %}
        cases.{{ column }},
        {%- endfor %}
        cases.{{ age_band }} as age_band
    from {{ ref('fct_case') }} as cases
    inner join numbered
        on
            cases.person_key = numbered.person_key
            and cases.{{ quarter }} = numbered.reporting_quarter
            and numbered.cohort_basis = '{{ cohort_basis }}'
    where {{ condition }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

repeated_in_units as (
    select
        places.told_number,
        repeated_cases.person_number,
        {{ dimensions_of('repeated_cases', dimensions) | indent(4) }}
    from repeated_cases
    inner join counted as places
        on
            {{ counts_in_place('repeated_cases', keys) }}
),

-- of two cases one is a repetition in each cut in which they do not differ
paired as (
    select
        told_number,
        person_number,
        {%- for column in columns %}
        case when min({{ column }}) <> max({{ column }}) then 'differs' else min({{ column }}) end as {{ column }},
        {%- endfor %}
        count(*) as cases
    from repeated_in_units
    group by told_number, person_number
    having count(*) > 1
),

repetitions as (
    select
        told_number,
        {{ columns | join(',\n        ') }},
        null as person_number
    from paired
    where cases = 2

    union all

    select
        repeated_in_units.told_number,
        {{ dimensions_of('repeated_in_units', dimensions) | indent(4) }},
        repeated_in_units.person_number
    from repeated_in_units
    inner join paired
        on
            repeated_in_units.told_number = paired.told_number
            and repeated_in_units.person_number = paired.person_number
    where paired.cases > 2
),

counted_again as (
    select
        told_number,
        {{ cut_columns(dimensions) | indent(8) }},
        cast(count(*) - count(distinct person_number) filter (where person_number is not null) as integer) as cases
    from repetitions
    group by {{ grouping_sets(['told_number'], dimensions) | indent(4) }}
),

cells as (
    select
        summed.*,
        summed.cases - coalesce(counted_again.cases, 0) as persons
    from summed
    left join counted_again
        on
            summed.told_number = counted_again.told_number
            {%- for column in columns %}
            and summed.{{ column }} = counted_again.{{ column }}
            {%- endfor %}
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
