{%- set dimensions = [['intervention_category', 'intervention_code']] -%}
{%- set columns = ['intervention_category', 'intervention_code'] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year', 'wait_kind'] -%}
{%- set counts = [
    'wait_n', 'waited_0_7_days', 'waited_8_14_days', 'waited_15_30_days', 'waited_31_90_days', 'waited_over_90_days',
    'queue',
] -%}
{%- set private = with_keys(['wait__summed_n', 'wait__sum']) + ['wait__largest', 'wait__second'] -%}
{%- set kinds = [
    ('service', 'serviceinsatser'), ('youth_clinic', 'ungdomsmottagning'), ('parenting_programme', 'grupper'),
    ('assessed', 'oppenvard'),
] -%}

-- 1. The units and quarters that have a row: those with a file, and those whose file is missing but whose waits a later
-- file reports; these are shown, but are not complete
with sources as (
    {%- for kind, dataset in kinds %}
    select
        files.*,
        '{{ kind }}' as wait_kind,
        true as is_covered
    from (
        {{ reporting_units(dataset) | indent(8) }}
    ) as files

    union all
    {% endfor %}
    select
        membership.counts_in_code as district_code,
        membership.counts_in_basis,
        waits.reporting_quarter,
        waits.wait_kind,
        covered.district_code is not null as is_covered
    from {{ ref('fct_wait') }} as waits
    inner join {{ ref('dim_district_membership') }} as membership
        on waits.district_code = membership.district_code
    -- an ended unit's quarter may be in its successor's file
    left join {{ ref('fct_quarter_covered') }} as covered
        on
            waits.district_code = covered.district_code
            and waits.reporting_quarter = covered.reporting_quarter
            and covered.dataset = case waits.wait_kind
                {%- for kind, dataset in kinds %}
                when '{{ kind }}' then '{{ dataset }}'
                {%- endfor %}
            end
),

sources_in_periods as (
    {{ in_periods('sources') }}
),

reporting_units as (
    select
        {{ keys | join(',\n        ') }},
        case wait_kind
            {%- for kind, dataset in kinds %}
            when '{{ kind }}' then '{{ dataset }}'
            {%- endfor %}
        end as dataset,
        bool_or(is_covered) as is_covered
    from sources_in_periods
    group by {{ keys | join(', ') }}
),

-- 2. Counts in every breakdown; exact quantiles exist only where each wait is reported
quarter_rows as (
    {{ rows_per_unit('fct_wait') }}
),

unit_rows as (
    {{ in_periods('quarter_rows') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ sum_of('wait_known_count') }} as counted_in_bands_n,
        {{ sum_with_key('wait_n', 'greatest(wait_known_count, wait_summed_count)') | indent(8) }},
        {%- for count in counts[1:-1] %}
        {{ sum_with_key(count, count ~ '_count') | indent(8) }},
        {%- endfor %}
        -- a year's queue is that of its last quarter
        {{ sum_with_key('queue', 'queue_count', 'is_last_quarter') | indent(8) }},
        {{ sum_with_key('wait__summed_n', 'wait_summed_count') | indent(8) }},
        {{ sum_with_largest('wait', 'wait_sum_days') | indent(8) }},
        cast({{ quantile('wait_days', 0.5, 'wait_days is not null') }} as double) as exact_median_days,
        cast({{ quantile('wait_days', 0.9, 'wait_days is not null') }} as double) as exact_p90_days,
        count(wait_days) as exact_n
    from unit_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ zero_filled(
    keys, dimensions, with_keys(counts) + private + ['counted_in_bands_n'],
    ['exact_median_days', 'exact_p90_days', 'exact_n'], ['dataset', 'is_covered']
) }}

select
    zero_filled.district_code,
    bases.district_basis,
    {{ period_columns('zero_filled', dimensions) }},
    'handelse' as cohort_basis,
    zero_filled.wait_kind,
    zero_filled.intervention_category,
    zero_filled.intervention_code,
    zero_filled.wait_n,
    zero_filled.waited_0_7_days,
    zero_filled.waited_8_14_days,
    zero_filled.waited_15_30_days,
    zero_filled.waited_31_90_days,
    zero_filled.waited_over_90_days,
    {{ mean_days('zero_filled.wait__sum', 'zero_filled.wait__summed_n') }} as wait_mean_days,
    {{ shown_grouped_median_days('zero_filled.counted_in_bands_n') | indent(4) }} as wait_grouped_median_days,
    {{ grouped_median_band('zero_filled.counted_in_bands_n') | indent(4) }} as wait_grouped_median_band,
    {{ shown_quantile('median', 'zero_filled.exact_median_days', 'zero_filled.exact_n') }} as wait_median_days,
    {{ shown_quantile('p90', 'zero_filled.exact_p90_days', 'zero_filled.exact_n') }} as wait_p90_days,
    -- youth clinics do not report a queue
    case when zero_filled.wait_kind <> 'youth_clinic' then zero_filled.queue end as queue,
    {{ is_cohort_complete('zero_filled', 'zero_filled.is_covered') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
    {{- private_columns('zero_filled', keys_of(counts) + private) }}
from zero_filled
{{ join_bases('zero_filled') }}
{{ join_periods('zero_filled', dimensions) }}
{{ join_completeness_by_column('zero_filled', 'zero_filled.dataset') }}
