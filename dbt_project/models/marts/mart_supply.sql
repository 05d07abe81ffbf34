{%- set dimensions = [['intervention_category', 'intervention_code'], ['form'], ['directed_at'], ['legal_ground']] -%}
{%- set columns = ['intervention_category', 'intervention_code', 'form', 'directed_at', 'legal_ground'] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year'] -%}
{%- set counts = [
    'districts_offering', 'districts_planning', 'supply_offered', 'supply_planned', 'supply_discontinued',
    'interventions_offered',
    'without_session_limit', 'quoted_wait_n', 'web_age_n',
    'evidence_based_rate_numerator', 'evidence_based_rate_denominator',
    'web_within_year_rate_numerator', 'web_within_year_rate_denominator',
] -%}
{%- set others = [
    'is_offered_citywide', 'providers', 'languages', 'session_limit_lowest', 'session_limit_highest',
    'quoted_wait_mean_days', 'quoted_wait_median_days', 'quoted_wait_p90_days',
    'web_age_mean_days', 'web_age_median_days', 'web_age_p90_days',
] -%}

with quarter_units as (
    {{ reporting_units('utbud') }}
),

reporting_units as (
    {{ units_in_periods('quarter_units', stock='true') }}
),

quarter_rows as (
    {{ rows_per_unit('fct_supply') }}
),

-- a year has the state at the end of its last quarter
unit_rows as (
    {{ in_periods('quarter_rows', stock='true') }}
),

supply_rows as (
    select
        unit_rows.*,
        districts.kind = 'district' as is_district,
        unit_rows.supply_status = 'erbjuds' as is_offered
    from unit_rows
    inner join {{ ref('dim_district') }} as districts
        on unit_rows.reporting_code = districts.district_code
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        cast(count(distinct reporting_code) filter (where is_district and is_offered) as integer)
            as districts_offering,
        cast(
            count(distinct reporting_code) filter (where is_district and supply_status in ('erbjuds', 'planeras'))
            - count(distinct reporting_code) filter (where is_district and is_offered) as integer
        ) as districts_planning,
        bool_or(is_offered and not is_district) as is_offered_citywide,
        {{ count_where('is_offered') }} as supply_offered,
        {{ count_where("supply_status = 'planeras'") }} as supply_planned,
        {{ count_where("supply_status = 'upphord'") }} as supply_discontinued,
        cast(count(distinct intervention_code) filter (where is_offered) as integer) as interventions_offered,
        {{ distinct_codes('provider', 'is_offered') }} as providers,
        {{ distinct_codes('languages', 'is_offered') }} as languages,
        {{ count_where('is_offered and session_limit is null') }} as without_session_limit,
        cast(min(session_limit) filter (where is_offered) as integer) as session_limit_lowest,
        cast(max(session_limit) filter (where is_offered) as integer) as session_limit_highest,
        {{ duration('quoted_wait', 'quoted_wait_days', 'is_offered') | indent(8) }},
        {{ duration('web_age', 'web_age_days', 'is_offered') | indent(8) }},
        {{ rate_counts('evidence_based_rate', "evidence_based = 'ja'",
            "is_offered and evidence_based <> 'okant'") | indent(8) }},
        {{ rate_counts('web_within_year_rate', 'coalesce(web_age_days <= 365, false)', 'is_offered') | indent(8) }}
    from supply_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

-- The rows of the mart: a total per unit, every intervention of the catalogue, and what the files list. An intervention
-- that a file in force does not list is not offered; of a missing file nothing is known.
expected_cells as (
    select
        {{ keys | join(',\n        ') }},
        'alla' as intervention_category,
        'alla' as intervention_code,
        'alla' as form,
        'alla' as directed_at,
        'alla' as legal_ground
    from reporting_units

    union

    select
        reporting_units.district_code,
        reporting_units.counts_in_basis,
        reporting_units.reporting_quarter,
        reporting_units.is_year,
        interventions.intervention_category,
        interventions.intervention_code,
        'alla' as form,
        'alla' as directed_at,
        'alla' as legal_ground
    from reporting_units
    cross join {{ ref('dim_intervention') }} as interventions

    union

    select
        {{ keys | join(',\n        ') }},
        {{ columns | join(',\n        ') }}
    from cells
),

zero_filled as (
    select
        {%- for column in keys + columns[:3] %}
        expected_cells.{{ column }},
        {%- endfor %}
        {%- for other in others %}
        cells.{{ other }},
        {%- endfor %}
        {%- for count in counts %}
        coalesce(cells.{{ count }}, 0) as {{ count }},
        {%- endfor %}
        expected_cells.directed_at,
        expected_cells.legal_ground
    from expected_cells
    left join cells
        on
            expected_cells.district_code = cells.district_code
            and expected_cells.counts_in_basis = cells.counts_in_basis
            and expected_cells.reporting_quarter = cells.reporting_quarter
            and expected_cells.is_year = cells.is_year
            and expected_cells.intervention_category = cells.intervention_category
            and expected_cells.intervention_code = cells.intervention_code
            and expected_cells.form = cells.form
            and expected_cells.directed_at = cells.directed_at
            and expected_cells.legal_ground = cells.legal_ground
)

select
    zero_filled.district_code,
    bases.district_basis,
    {{ period_columns('zero_filled', dimensions) }},
    'handelse' as cohort_basis,
    {%- for column in columns %}
    zero_filled.{{ column }},
    {%- endfor %}
    zero_filled.supply_offered > 0 as is_offered,
    coalesce(zero_filled.is_offered_citywide, false) as is_offered_citywide,
    zero_filled.districts_offering,
    zero_filled.districts_planning,
    zero_filled.supply_offered,
    zero_filled.supply_planned,
    zero_filled.supply_discontinued,
    zero_filled.interventions_offered,
    coalesce(zero_filled.providers, '') as providers,
    coalesce(zero_filled.languages, '') as languages,
    zero_filled.without_session_limit,
    zero_filled.session_limit_lowest,
    zero_filled.session_limit_highest,
    {%- for name in ['quoted_wait', 'web_age'] %}
    zero_filled.{{ name }}_n,
    zero_filled.{{ name }}_mean_days,
    zero_filled.{{ name }}_median_days,
    zero_filled.{{ name }}_p90_days,
    {%- endfor %}
    {{ rate('evidence_based_rate') | indent(4) }},
    {{ rate('web_within_year_rate') | indent(4) }},
    -- the state at the end of the quarter: it does not change later
    {{ is_cohort_complete('zero_filled') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_periods('zero_filled', dimensions, is_state=true) }}
{{ join_completeness('zero_filled', 'utbud') }}
where {{ has_ground('zero_filled', 'zero_filled') }}
