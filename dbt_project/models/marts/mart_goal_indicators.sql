{%- set dimensions = [['sex'], ['age_band'], ['socioeconomic'], ['pilot']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'indicator_code'] -%}

-- 1. Each cohort's indicators, counted over its fact
with
{%- for cohort_basis, cohort in cohorts().items() %}
{{ cohort_basis }} as (
    select
        facts.district_code,
        facts.{{ cohort.quarter }} as reporting_quarter,
        facts.{{ cohort.age_band }} as age_band,
        facts.sex,
        facts.socioeconomic,
        {{ pilot_or_line('facts.' ~ cohort.date) }} as pilot,
        {%- for code in indicator_codes(cohort_basis) %}
        {{ indicator_columns(code) | indent(8) }},
        {%- endfor %}
        {{ is_before_first_file(cohort) }} as is_survivor
    from {{ ref(cohort.fact) }} as facts
    where facts.{{ cohort.quarter }} is not null
    group by
        facts.district_code, reporting_quarter, age_band, facts.sex, facts.socioeconomic, pilot, is_survivor
),
{%- endfor %}

-- 2. One row per indicator and finest cell: few rows, from which every breakdown is summed
finest as (
    {%- for code, indicator in indicators().items() %}
    select
        district_code,
        reporting_quarter,
        age_band,
        sex,
        socioeconomic,
        pilot,
        is_survivor,
        '{{ code }}' as indicator_code,
        '{{ indicator.cohort_basis }}' as cohort_basis,
        '{{ cohorts()[indicator.cohort_basis].dataset }}' as dataset,
        {%- for column in with_keys(['in_scope', 'awaited', 'numerator', 'denominator']) %}
        {{ code }}_{{ column }} as {{ column }},
        {%- endfor %}
        {{ code }}_is_ripening as is_ripening,
        {{ code }}_lost as lost,
        {{ code }}_unlinkable as unlinkable
    from {{ indicator.cohort_basis }}
    where {{ code }}_in_scope > 0
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

flagged as (
    select
        {{ star_except('finest', ['is_survivor', 'is_ripening']) }},
        -- without a file of the quarter, only the rows that later files still hold are known
        finest.is_survivor or (finest.dataset = 'arenden' and covered.district_code is null) as is_survivor,
        -- a missing file can still come; before the unit's first file none is expected
        finest.is_ripening
        or (
            finest.dataset = 'arenden'
            and covered.district_code is null
            and finest.reporting_quarter >= districts.first_known_quarter
        ) as is_ripening
    from finest
    {{ join_quarter_covered('finest', 'reporting_quarter') }}
    left join {{ ref('dim_district') }} as districts
        on finest.district_code = districts.district_code
),

unit_rows as (
    {{ numbered_rows_per_unit('flagged', keys) }}
),

quarter_groups as (
    {{ distinct_groups('unit_rows', keys, also=['cohort_basis', 'dataset']) }}
),

{{ groups_with_years(keys, also=['cohort_basis', 'dataset']) }},

-- 3. Counts in every breakdown; survivors are in scope, but in no rate
quarter_cells as (
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ sum_cells_with_key('in_scope') | indent(8) }},
        {{ sum_cells_with_key('awaited') | indent(8) }},
        {{ sum_cells_with_key('numerator', 'not is_survivor') | indent(8) }},
        {{ sum_cells_with_key('denominator', 'not is_survivor') | indent(8) }},
        {{ sum_of('lost') }} as lost,
        {{ sum_of('unlinkable') }} as unlinkable,
        bool_and(is_survivor) as is_survivors_only
    from unit_rows
    group by {{ grouping_sets(['group_number'], dimensions) | indent(4) }}
),

{{ cells_with_years(
    'cells', 'quarter_cells', dimensions, flows=['in_scope', 'awaited', 'numerator', 'denominator'],
    counts=['lost', 'unlinkable']
) }}

select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions, 'cells') }},
    groups.cohort_basis,
    groups.indicator_code,
    {{ dimension_columns('cells', dimensions) }},
    cells.in_scope,
    cells.awaited,
    cells.numerator,
    cells.denominator,
    {{ share('cells.numerator', 'cells.denominator') | indent(4) }} as rate,
    {{ wilson_limit('cells.numerator', 'cells.denominator', 'low') | indent(4) }} as rate_low,
    {{ wilson_limit('cells.numerator', 'cells.denominator', 'high') | indent(4) }} as rate_high,
    {{ is_cohort_complete('groups', 'not groups.is_ripening') }} as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    cells.lost,
    cells.unlinkable
    {{- private_columns('cells', keys_of(['in_scope', 'awaited', 'numerator', 'denominator'])) }}
from cells
{{ join_groups(dimensions) }}
{{ join_completeness_by_column('groups', 'groups.dataset') }}
