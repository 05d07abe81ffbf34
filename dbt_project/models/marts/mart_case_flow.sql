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
    ('inkommen', 'received_quarter', 'age_band_at_receipt', 'true', 'received_record_key'),
    ('avgjord', 'decided_quarter', 'age_band_at_decision', 'is_decided', 'decided_record_key'),
    ('avslutad', 'concluded_quarter', 'age_band_at_conclusion', 'is_concluded', 'concluded_record_key'),
] -%}
{#- each rate with the cohorts that have it -#}
{%- set rates = {
    'investigation_rate': "'inkommen', 'avgjord'", 'offer_rate': "'avslutad'", 'acceptance_rate': "'avslutad'",
    'given_rate': "'avslutad'", 'child_heard_rate': "'avslutad'", 'school_contacted_rate': "'avslutad'",
} -%}
{%- set columns = dimensions | sum(start=[]) -%}
{%- set counts = [
    ('decided', 'is_decided'),
    ('investigations', 'is_investigated'),
    ('concluded', 'is_concluded'),
    ('offered', 'is_offered'),
    ('answered', 'is_answered'),
    ('accepted', 'is_accepted'),
    ('child_heard', 'is_child_heard'),
    ('school_contacted', 'is_school_contacted'),
] -%}

-- 1. What is known of each unit's quarter, in each cohort
with unit_quarters as (
    {%- for cohort_basis, quarter, age_band, condition, record_key in cohorts %}
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

flagged_quarters as (
    select
        quarters.district_code,
        quarters.cohort_basis,
        quarters.reporting_quarter,
        -- without a file of the quarter, only the cases that later files still hold are known
        covered.district_code is null as is_survivor,
        -- a missing file can still come; before the unit's first file none is expected
        quarters.is_ripening
        or (covered.district_code is null and quarters.reporting_quarter >= quarters.first_known_quarter)
            as is_ripening
    from unit_quarters as quarters
    {{ join_quarter_covered('quarters', 'reporting_quarter') }}
),

-- each of these quarters once for every unit that it counts in, with the number of its group there
numbered_quarters as (
    {{ numbered_rows_per_unit('flagged_quarters', keys) }}
),

memberships as (
    select
        *,
        count(*) over (partition by group_number) = 1 as is_only_member
    from numbered_quarters
),

quarter_groups as (
    {{ distinct_groups('memberships', keys) }}
),

{{ groups_with_years(keys) }},

-- 2. Counts. Cases are counted once, in their own unit; other units' counts are sums of these, which is much less work
-- than to count every case again for the merged unit and the city.
unit_cells as (
    {%- for cohort_basis, quarter, age_band, condition, record_key in cohorts %}
    select
        district_code,
        '{{ cohort_basis }}' as cohort_basis,
        {{ quarter }} as reporting_quarter,
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ count_with_key('cases', 'true', record_key) | indent(8) }},
        {%- for count, counts_when in counts %}
        {{ count_with_key(count, counts_when, record_key) | indent(8) }},
        {%- endfor %}
        {{ key_sum('person_record_key') }} as case_persons__key,
        {{ count_where('is_lost') }} as lost,
        {{ count_where('not is_linkable') }} as unlinkable
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

-- a group of several units is their sum; a group of one unit takes that unit's counts as they are. Survivors are
-- counted but have no rates: nothing is known of the cases that are no longer in the files.
quarter_cells as (
    select
        memberships.group_number,
        {{ dimension_columns('unit_cells', dimensions) | indent(4) }},
        {{ sum_cells_with_key('cases', cells='unit_cells') | indent(8) }},
        {%- for count, counts_when in counts %}
        {{ sum_cells_with_key(count, cells='unit_cells') | indent(8) }},
        {{ sum_cells_with_key('rated_' ~ count, 'not memberships.is_survivor', 'unit_cells', count) | indent(8) }},
        {%- endfor %}
        {{ key_sum('unit_cells.case_persons__key') }} as case_persons__key,
        {{ sum_of('unit_cells.lost') }} as lost,
        {{ sum_of('unit_cells.unlinkable') }} as unlinkable,
        bool_and(memberships.is_survivor) as is_survivors_only
    from unit_cells
    inner join memberships
        on
            {{ is_member('unit_cells', keys) }}
    where not memberships.is_only_member
    group by memberships.group_number, {{ dimension_columns('unit_cells', dimensions) | indent(4) }}

    union all

    select
        memberships.group_number,
        {{ dimension_columns('unit_cells', dimensions) | indent(4) }},
        unit_cells.cases,
        unit_cells.cases__key,
        {%- for count, counts_when in counts %}
        {%- for column in with_keys([count]) %}
        unit_cells.{{ column }},
        {%- endfor %}
        {%- for column in with_keys([count]) %}
        case when memberships.is_survivor then 0 else unit_cells.{{ column }} end as rated_{{ column }},
        {%- endfor %}
        {%- endfor %}
        unit_cells.case_persons__key,
        unit_cells.lost,
        unit_cells.unlinkable,
        memberships.is_survivor as is_survivors_only
    from unit_cells
    inner join memberships
        on
            {{ is_member('unit_cells', keys) }}
    where memberships.is_only_member
),

{{ cells_with_years(
    'group_cells', 'quarter_cells', dimensions,
    flows=['cases'] + counts | map('first') | list + prefixed('rated_', counts | map('first')),
    counts=['lost', 'unlinkable'], keys=['case_persons__key']
) }},

-- 3. Persons, counted anew in years. In every cell, persons = cases - repetitions. A repetition is a case of a person
-- who has another case in the same cell. Most children have one case, so only the others are looked at: a distinct
-- count of persons in every breakdown would take many times longer. The persons' key is made in the same way.
repeated_persons as (
    {%- for cohort_basis, quarter, age_band, condition, record_key in cohorts %}
    select
        '{{ cohort_basis }}' as cohort_basis,
        person_key,
        person_record_key
    from {{ ref('fct_case') }}
    where {{ condition }}
    group by person_key, person_record_key
    having count(*) > 1
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- a number is shorter than a key of a person
numbered_persons as (
    select
        *,
        {{ row_number_by(['cohort_basis', 'person_key', 'person_record_key']) }} as person_number
    from repeated_persons
),

repeated_cases as (
    {%- for cohort_basis, quarter, age_band, condition, record_key in cohorts %}
    select
        cases.district_code,
        '{{ cohort_basis }}' as cohort_basis,
        cases.{{ quarter }} as reporting_quarter,
        numbered_persons.person_number,
        cases.person_record_key,
        {%- for column in columns if column != 'age_band' %}
        cases.{{ column }},
        {%- endfor %}
        cases.{{ age_band }} as age_band
    from {{ ref('fct_case') }} as cases
    inner join numbered_persons
        on
            cases.person_key = numbered_persons.person_key
            and numbered_persons.cohort_basis = '{{ cohort_basis }}'
    where {{ condition }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

quarter_cases as (
    select
        memberships.group_number,
        memberships.reporting_quarter,
        repeated_cases.person_number,
        repeated_cases.person_record_key,
        {{ dimension_columns('repeated_cases', dimensions) | indent(4) }}
    from repeated_cases
    inner join memberships
        on
            {{ is_member('repeated_cases', keys) }}
),

group_cases as (
    {{ rows_with_years('quarter_cases') }}
),

-- a person with several cases in a group; a dimension in which the cases differ gets a value that no cell has
group_persons as (
    select
        group_number,
        person_number,
        person_record_key,
        is_rolling_only,
        {%- for column in columns %}
        case when min({{ column }}) <> max({{ column }}) then 'differs' else min({{ column }}) end as {{ column }},
        {%- endfor %}
        count(*) as cases
    from group_cases
    group by group_number, person_number, person_record_key, is_rolling_only
    having count(*) > 1
),

-- of two cases, one is a repetition in every breakdown in which they do not differ: one row says so. Of three or more
-- cases each has a row, with its person, to be counted in every breakdown.
repetitions as (
    select
        group_number,
        {{ columns | join(',\n        ') }},
        person_record_key,
        is_rolling_only,
        null as person_number
    from group_persons
    where cases = 2

    union all

    select
        group_cases.group_number,
        {{ dimension_columns('group_cases', dimensions) | indent(4) }},
        group_cases.person_record_key,
        group_cases.is_rolling_only,
        group_cases.person_number
    from group_cases
    inner join group_persons
        on
            group_cases.group_number = group_persons.group_number
            and group_cases.person_number = group_persons.person_number
    where group_persons.cases > 2
),

repetition_cells as (
    {%- for condition, listed in breakdowns_by_period(dimensions) %}
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        cast(count(*) - count(distinct person_number) filter (where person_number is not null) as integer)
            as repetitions,
        {{ key_sum('person_record_key') }} as repeated__key,
        -- each of these persons once; a multiple of 2^32 tells two persons with the same record key apart
        {{ as_key(
            'coalesce(sum(distinct ' ~ wide('person_number') ~ ' * 4294967296 + person_record_key)'
            ' filter (where person_number is not null), 0)'
        ) }} as counted_once__key
    from repetitions
    where {{ condition }}
    group by {{ grouping_sets_of(['group_number'], listed) | indent(4) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

cells as (
    select
        group_cells.*,
        groups.cohort_basis,
        {%- for rate_name, rate_cohorts in rates.items() %}
        {%- for part in ['numerator', 'denominator'] %}
        {%- for suffix in ['', '__key'] %}
        case
            when groups.cohort_basis in ({{ rate_cohorts }})
                then group_cells.rated_{{ count_of(counts, indicators()[rate_name][part]) }}{{ suffix }}
            else 0
        end as {{ rate_name }}_{{ part }}{{ suffix }},
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
        group_cells.cases - coalesce(repetition_cells.repetitions, 0) as persons,
        {{ as_key(
            'group_cells.case_persons__key + 4294967296 - coalesce(repetition_cells.repeated__key, 0)'
            ' + coalesce(repetition_cells.counted_once__key, 0)'
        ) }} as persons__key
    from group_cells
    inner join groups
        on group_cells.group_number = groups.group_number
    left join repetition_cells
        on
            group_cells.group_number = repetition_cells.group_number
            {%- for column in columns %}
            and group_cells.{{ column }} = repetition_cells.{{ column }}
            {%- endfor %}
)

-- 4. The mart: rates from the counts, and how complete the files are
select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions, 'cells') }},
    groups.cohort_basis,
    {{ dimension_columns('cells', dimensions) }},
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
    {{ is_cohort_complete('groups', 'not groups.is_ripening') }} as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    cells.lost,
    cells.unlinkable
    {{- private_columns('cells', keys_of([
        'cases', 'persons', 'decided', 'investigations', 'concluded', 'offered', 'accepted', 'child_heard',
        'school_contacted',
    ] + rate_count_names(rates))) }}
from cells
{{ join_groups(dimensions) }}
{{ join_completeness('groups', 'arenden') }}
