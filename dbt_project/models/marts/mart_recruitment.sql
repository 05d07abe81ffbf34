{%- set dimensions = [['intervention_category', 'intervention_code']] -%}
{%- set columns = ['intervention_category', 'intervention_code'] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'cohort_basis'] -%}
{%- set cohorts = [
    ('startad', 'started_quarter', 'facts.is_started'),
    ('planerad', 'planned_quarter', 'facts.planned_quarter <= facts.newest_known_quarter'),
    ('avslutad', 'ended_quarter', 'facts.is_ended'),
] -%}
{%- set counts = [
    'cohort_groups', 'groups_started', 'groups_cancelled', 'groups_cancelled_for_too_few', 'seats', 'registered',
    'participants', 'girls', 'boys', 'mothers', 'fathers', 'completed', 'lost',
    'fill_rate_numerator', 'fill_rate_denominator', 'seat_use_rate_numerator', 'seat_use_rate_denominator',
    'cancellation_rate_numerator', 'cancellation_rate_denominator',
    'completion_rate_numerator', 'completion_rate_denominator',
] -%}

with cohorts as (
    {%- for cohort_basis, quarter, condition in cohorts %}
    select
        facts.*,
        '{{ cohort_basis }}' as cohort_basis,
        facts.{{ quarter }} as reporting_quarter,
        -- without a file of the quarter only the groups that later files still hold are known
        covered.district_code is null as is_survivor,
        -- a file that is missing can still come; from before the first one none is expected
        {{ "facts.is_open and facts.is_ripening" if cohort_basis != "avslutad" else "false" }}
        or (covered.district_code is null and facts.{{ quarter }} >= facts.first_known_quarter) as can_change
    from {{ ref('fct_group') }} as facts
    left join {{ ref('fct_quarter_covered') }} as covered
        on
            facts.district_code = covered.district_code
            and facts.{{ quarter }} = covered.reporting_quarter
            and covered.dataset = 'grupper'
    where {{ condition }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

counted as (
    select
        cohorts.* exclude (district_code),
        membership.counts_in_code as district_code,
        membership.counts_in_basis
    from cohorts
    inner join {{ ref('dim_district_membership') }} as membership
        on cohorts.district_code = membership.district_code
),

in_force as (
    {{ told_in_force('grupper') }}
),

told as (
    select
        in_force.*,
        bases.cohort_basis
    from in_force
    cross join (values ('startad'), ('planerad'), ('avslutad')) as bases (cohort_basis)

    union

    select distinct {{ keys | join(', ') }} from counted
),

ripening as (
    -- the whole quarter ripens, not the cell
    select
        {{ keys | join(',\n        ') }},
        bool_or(can_change) as is_ripening
    from counted
    group by {{ keys | join(', ') }}
),

cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ cut_columns(dimensions) | indent(8) }},
        cast(count(*) as integer) as cohort_groups,
        {{ count_where('is_started') }} as groups_started,
        {{ count_where('is_cancelled') }} as groups_cancelled,
        {{ count_where("is_cancelled and cancelled_reason = 'for_fa_anmalda'") }} as groups_cancelled_for_too_few,
        {{ sum_of('seat_count', 'is_started') }} as seats,
        {{ sum_of('registered_count') }} as registered,
        {{ sum_of('participant_count') }} as participants,
        {{ sum_of('girl_count') }} as girls,
        {{ sum_of('boy_count') }} as boys,
        {{ sum_of('mother_count') }} as mothers,
        {{ sum_of('father_count') }} as fathers,
        {{ sum_of('completed_count') }} as completed,
        {{ count_where('is_lost') }} as lost,
        bool_and(is_survivor) as is_survivors_only,
        {{ sum_of('participant_count', "cohort_basis = 'startad' and not is_survivor") }} as fill_rate_numerator,
        {{ sum_of('seat_count', "cohort_basis = 'startad' and not is_survivor") }} as fill_rate_denominator,
        {{ sum_of('participant_count', "cohort_basis = 'planerad' and is_started and not is_survivor") }}
            as seat_use_rate_numerator,
        {{ sum_of('seat_count', "cohort_basis = 'planerad' and (is_started or is_cancelled) and not is_survivor") }}
            as seat_use_rate_denominator,
        -- of the groups whose fate is known
        {{ rate_counts('cancellation_rate', 'is_cancelled',
            "cohort_basis = 'planerad' and (is_started or is_cancelled) and not is_survivor") | indent(8) }},
        {{ sum_of('completed_count', "cohort_basis = 'avslutad'") }} as completion_rate_numerator,
        {{ sum_of('participant_count', "cohort_basis = 'avslutad'") }} as completion_rate_denominator
    from counted
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ filled(keys, dimensions, counts, ['is_survivors_only']) }},

-- each district's share of seats filled with an interval that holds together with all the others' of its cell
expanded as (
    select
        filled.*,
        bases.district_basis,
        districts.kind = 'district' and filled.fill_rate_denominator > 0 as is_ranked
    from filled
    inner join {{ district_bases() }}
        on filled.counts_in_basis in ('both', bases.district_basis)
    inner join {{ ref('dim_district') }} as districts
        on filled.district_code = districts.district_code
),

compared as (
    select
        *,
        fill_rate_numerator / cast(fill_rate_denominator as double) as score,
        least(fill_rate_numerator, fill_rate_denominator) as seats_filled,
        count(*) over (
            partition by district_basis, reporting_quarter, cohort_basis, intervention_category, intervention_code
        ) as compared_districts
    from expanded
    where is_ranked
),

scored as (
    select
        *,
        {{ joint_z('compared_districts') }} as joint_z
    from compared
),

limited as (
    select
        *,
        {{ score_limit('seats_filled', 'fill_rate_denominator', 'joint_z', 'low', true) }} as score_low,
        greatest(
            score, {{ score_limit('seats_filled', 'fill_rate_denominator', 'joint_z', 'high', true) }}
        ) as score_high
    from scored
),

places as (
    {{ rank_counts('limited', [
        'district_basis', 'reporting_quarter', 'cohort_basis', 'intervention_category', 'intervention_code'
    ], 'district_code') }}
)

select
    told.district_code,
    told.district_basis,
    told.reporting_quarter,
    told.cohort_basis,
    told.intervention_category,
    told.intervention_code,
    {%- for count in counts[:12] %}
    told.{{ count }},
    {%- endfor %}
    told.fill_rate_numerator,
    told.fill_rate_denominator,
    -- more may have taken part than there were seats at a time: the rate may pass 1, the interval is of seats filled
    case
        when told.fill_rate_denominator > 0
            then told.fill_rate_numerator / cast(told.fill_rate_denominator as double)
    end as fill_rate,
    {{ wilson_limit('least(fill_rate_numerator, fill_rate_denominator)', 'fill_rate_denominator', 'low') | indent(4) }}
        as fill_rate_low,
    greatest(
        case
            when told.fill_rate_denominator > 0
                then told.fill_rate_numerator / cast(told.fill_rate_denominator as double)
        end,
        {{ wilson_limit('least(fill_rate_numerator, fill_rate_denominator)', 'fill_rate_denominator', 'high')
            | indent(8) }}
    ) as fill_rate_high,
    places.place as fill_rank,
    places.place_low as fill_rank_low,
    places.place_high as fill_rank_high,
    places.placed_districts as ranked_districts,
    told.seat_use_rate_numerator,
    told.seat_use_rate_denominator,
    case
        when told.seat_use_rate_denominator > 0
            then told.seat_use_rate_numerator / cast(told.seat_use_rate_denominator as double)
    end as seat_use_rate,
    {{ rate('cancellation_rate') | indent(4) }},
    {{ rate('completion_rate') | indent(4) }},
    not coalesce(ripening.is_ripening, false) as is_cohort_complete,
    coalesce(told.is_survivors_only, false) as is_survivors_only,
    {{ completeness_columns() }},
    told.lost,
    0 as unlinkable
from expanded as told
left join places
    on
        told.district_basis = places.district_basis
        and told.reporting_quarter = places.reporting_quarter
        and told.cohort_basis = places.cohort_basis
        and told.intervention_category = places.intervention_category
        and told.intervention_code = places.intervention_code
        and told.district_code = places.district_code
left join ripening
    on
        told.district_code = ripening.district_code
        and told.counts_in_basis = ripening.counts_in_basis
        and told.reporting_quarter = ripening.reporting_quarter
        and told.cohort_basis = ripening.cohort_basis
{{ join_completeness('grupper', 'told.district_basis') }}
