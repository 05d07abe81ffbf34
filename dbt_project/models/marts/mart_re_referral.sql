{%- set dimensions = [
    ['offer_outcome'],
    ['child_heard_answer'],
    ['reason_side', 'reason_code'],
    ['history'],
    ['sex'],
    ['age_band'],
    ['socioeconomic'],
] -%}
{%- set return_reason = ['return_reason_side', 'return_reason_code'] -%}
{#- the reason of return is broken down by the reason of the case before, and by no other dimension -#}
{%- set return_cuts = [
    return_reason[:1],
    return_reason,
    ['reason_side'] + return_reason[:1],
    ['reason_side'] + return_reason,
    ['reason_side', 'reason_code'] + return_reason[:1],
    ['reason_side', 'reason_code'] + return_reason,
] -%}
{%- set columns = dimensions | sum(start=[]) -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}
{%- set rates = re_referral_codes() -%}

-- 1. Concluded investigations, and what is known of their quarter
with concluded as (
    select
        investigations.*,
        investigations.concluded_quarter as reporting_quarter,
        investigations.age_band_at_conclusion as age_band,
        -- without a file of the quarter, only the rows that later files still hold are known
        covered.district_code is null as is_survivor,
        -- a missing file can still come; before the unit's first file none is expected
        investigations.is_awaited_365
        or (covered.district_code is null and investigations.concluded_quarter >= districts.first_known_quarter)
            as is_cohort_ripening
    from {{ ref('fct_investigation') }} as investigations
    {{ join_quarter_covered('investigations', 'concluded_quarter') }}
    left join {{ ref('dim_district') }} as districts
        on investigations.district_code = districts.district_code
    where investigations.is_concluded
),

-- each investigation, once for every unit that it counts in
unit_rows as (
    {{ numbered_rows_per_unit('concluded', keys) }}
),

quarter_groups as (
    {{ distinct_groups('unit_rows', keys, 'is_cohort_ripening') }}
),

{{ groups_with_years(keys) }},

-- 2. Counts in every breakdown
-- In a breakdown by the reason of return, a row has the key of its return.
quarter_cells as (
    {%- for record_key in ['concluded_record_key', 'return_record_key'] %}
    select
        group_number,
        {%- if loop.first %}
        {{ breakdown_columns(dimensions) | indent(8) }},
        'alla' as return_reason_side,
        'alla' as return_reason_code,
        {%- else %}
        {%- for column in columns %}
        {{ "coalesce(" ~ column ~ ", 'alla')" if column.startswith('reason_') else "'alla'" }} as {{ column }},
        {%- endfor %}
        {{ breakdown_columns([return_reason]) | indent(8) }},
        {%- endif %}
        {{ count_with_key('concluded', 'true', record_key) | indent(8) }},
        {{ count_with_key('transferred', 'is_transferred', record_key) | indent(8) }},
        {{ count_with_key('awaited', 'is_awaited_365', record_key) | indent(8) }},
        {%- for rate_name in rates %}
        {{ indicator_counts(rate_name, 'not is_survivor') | indent(8) }},
        {%- endfor %}
        {{ count_where('not is_linkable') }} as unlinkable,
        bool_and(is_survivor) as is_survivors_only
    from unit_rows
    {%- if loop.first %}
    group by {{ grouping_sets(['group_number'], dimensions) | indent(4) }}
    {%- else %}
    group by {{ grouping_sets_of(['group_number'], return_cuts) | indent(4) }}
    {%- endif %}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

{{ cells_with_years(
    'summed', 'quarter_cells', dimensions + [return_reason],
    flows=['concluded', 'transferred', 'awaited'] + rate_count_names(rates), counts=['unlinkable']
) }},

-- 3. A reason of return is a share of all that were followed, with or without a return, whatever its reason
shared as (
    select
        group_number,
        {{ columns | join(',\n        ') }},
        return_reason_side,
        return_reason_code,
        {{ with_keys(['concluded', 'transferred', 'awaited']) | join(',\n        ') }},
        {%- for rate_name in rates %}
        {{ with_keys([rate_name ~ '_numerator']) | join(', ') }},
        {{ followed_denominator(rate_name, columns) | indent(8) }},
        {%- endfor %}
        unlinkable,
        is_survivors_only
    from summed
),

-- `ingen`, no return, is only needed for these denominators
cells as (
    select *
    from shared
    where return_reason_side <> 'ingen'
)

select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions + [return_reason], 'cells') }},
    'avslutad' as cohort_basis,
    {{ dimension_columns('cells', dimensions + [return_reason]) }},
    cells.concluded,
    cells.transferred,
    cells.awaited,
    {%- for rate_name in rates %}
    {{ rate(rate_name) | indent(4) }},
    {%- endfor %}
    {{ is_cohort_complete('groups', 'not groups.is_ripening') }} as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    cells.unlinkable
    {{- private_columns('cells', keys_of(['concluded', 'transferred', 'awaited'] + rate_count_names(rates))) }}
from cells
{{ join_groups(dimensions + [return_reason]) }}
{{ join_completeness('groups', 'arenden') }}
