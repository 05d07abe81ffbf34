{%- set dimensions = [['intervention_category', 'intervention_code']] -%}
{%- set columns = ['intervention_category', 'intervention_code'] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'wait_kind'] -%}
{%- set counts = [
    'wait_n', 'waited_0_7_days', 'waited_8_14_days', 'waited_15_30_days', 'waited_31_90_days', 'waited_over_90_days',
    'queue', 'wait_summed_n', 'wait_sum_days', 'counted_in_bands_n',
] -%}
{%- set kinds = [
    ('service', 'serviceinsatser'), ('youth_clinic', 'ungdomsmottagning'), ('parenting_programme', 'grupper'),
    ('assessed', 'oppenvard'),
] -%}

-- waits that ended in a quarter whose own file is missing are known from the next: told, but not complete
with told_by as (
    {%- for kind, dataset in kinds %}
    select
        files.*,
        '{{ kind }}' as wait_kind,
        true as is_covered
    from (
        {{ told_in_force(dataset) | indent(8) }}
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
    -- the file of an ended unit is its successor's
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

told as (
    select
        {{ keys | join(',\n        ') }},
        case wait_kind
            {%- for kind, dataset in kinds %}
            when '{{ kind }}' then '{{ dataset }}'
            {%- endfor %}
        end as dataset,
        bool_or(is_covered) as is_covered
    from told_by
    group by {{ keys | join(', ') }}
),

counted as (
    {{ counted_in_units('fct_wait') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        {{ sum_of('wait_summed_count') }} as wait_summed_n,
        {{ sum_of('wait_sum_days') }} as wait_sum_days,
        {{ sum_of('wait_known_count') }} as counted_in_bands_n,
        cast(sum(greatest(wait_known_count, wait_summed_count)) as integer) as wait_n,
        {{ sum_of('waited_0_7_days_count') }} as waited_0_7_days,
        {{ sum_of('waited_8_14_days_count') }} as waited_8_14_days,
        {{ sum_of('waited_15_30_days_count') }} as waited_15_30_days,
        {{ sum_of('waited_31_90_days_count') }} as waited_31_90_days,
        {{ sum_of('waited_over_90_days_count') }} as waited_over_90_days,
        {{ sum_of('queue_count') }} as queue,
        cast({{ quantile('wait_days', 0.5, 'wait_days is not null') }} as double) as wait_median_days,
        cast({{ quantile('wait_days', 0.9, 'wait_days is not null') }} as double) as wait_p90_days
    from counted
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ filled(keys, dimensions, counts, ['wait_median_days', 'wait_p90_days'], ['dataset', 'is_covered']) }}

select
    told.district_code,
    bases.district_basis,
    told.reporting_quarter,
    'handelse' as cohort_basis,
    told.wait_kind,
    told.intervention_category,
    told.intervention_code,
    told.wait_n,
    told.waited_0_7_days,
    told.waited_8_14_days,
    told.waited_15_30_days,
    told.waited_31_90_days,
    told.waited_over_90_days,
    case when told.wait_summed_n > 0 then told.wait_sum_days / cast(told.wait_summed_n as double) end
        as wait_mean_days,
    {{ grouped_median_days('told.counted_in_bands_n') | indent(4) }} as wait_grouped_median_days,
    {{ grouped_median_band('told.counted_in_bands_n') | indent(4) }} as wait_grouped_median_band,
    told.wait_median_days,
    told.wait_p90_days,
    -- nobody is told to be waiting for a youth clinic
    case when told.wait_kind <> 'youth_clinic' then told.queue end as queue,
    told.is_covered as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from filled as told
{{ join_bases() }}
{{ join_completeness_of('told.dataset') }}
