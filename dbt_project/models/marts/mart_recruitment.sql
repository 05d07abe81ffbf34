{%- set dimensions = [['intervention_category', 'intervention_code']] -%}
{%- set columns = ['intervention_category', 'intervention_code'] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter', 'is_year', 'cohort_basis'] -%}
{%- set page = ['district_basis', 'reporting_quarter', 'is_year', 'cohort_basis'] + columns -%}
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
{#- of these, what counts persons; groups and seats are published exactly -#}
{%- set persons = counts[5:12] + [
    'fill_rate_numerator', 'seat_use_rate_numerator', 'completion_rate_numerator', 'completion_rate_denominator',
] -%}

-- 1. Groups by cohort: the same group is in the quarter of its start, of its planned start and of its end
with cohorts as (
    {%- for cohort_basis, quarter, condition in cohorts %}
    select
        facts.*,
        '{{ cohort_basis }}' as cohort_basis,
        facts.{{ quarter }} as reporting_quarter,
        -- without a file of the quarter, only the groups that later files still hold are known
        covered.district_code is null as is_survivor,
        -- a missing file can still come; before the unit's first file none is expected
        {{ "facts.is_open and facts.is_ripening" if cohort_basis != "avslutad" else "false" }}
        or (covered.district_code is null and facts.{{ quarter }} >= facts.first_known_quarter) as can_change
    from {{ ref('fct_group') }} as facts
    {{ join_quarter_covered('facts', quarter, 'grupper') }}
    where {{ condition }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- each group, once for every unit that it counts in
quarter_rows as (
    select
        {{ star_except('cohorts', ['district_code']) }},
        membership.counts_in_code as district_code,
        membership.counts_in_basis
    from cohorts
    inner join {{ ref('dim_district_membership') }} as membership
        on cohorts.district_code = membership.district_code
),

unit_rows as (
    {{ in_periods('quarter_rows') }}
),

-- 2. The rows of the mart: units and quarters with a file, in every cohort, and those whose groups only later files
-- hold
quarter_units as (
    {{ reporting_units('grupper') }}
),

files as (
    {{ units_in_periods('quarter_units') }}
),

reporting_units as (
    select
        files.district_code,
        files.counts_in_basis,
        files.reporting_quarter,
        files.is_year,
        bases.cohort_basis
    from files
    cross join (values ('startad'), ('planerad'), ('avslutad')) as bases (cohort_basis)

    union

    select distinct {{ keys | join(', ') }} from unit_rows
),

ripening as (
    -- said of the whole quarter, not of each cell: an open group can still move to another cell
    select
        {{ keys | join(',\n        ') }},
        bool_or(can_change) as is_ripening
    from unit_rows
    group by {{ keys | join(', ') }}
),

-- 3. Counts, and numerators and denominators of the rates
cells as (
    select
        {{ keys | join(',\n        ') }},
        {{ breakdown_columns(dimensions) | indent(8) }},
        cast(count(*) as integer) as cohort_groups,
        {{ count_where('is_started') }} as groups_started,
        {{ count_where('is_cancelled') }} as groups_cancelled,
        {{ count_where("is_cancelled and cancelled_reason = 'for_fa_anmalda'") }} as groups_cancelled_for_too_few,
        {{ sum_of('seat_count', 'is_started') }} as seats,
        {%- for count, counted in [
            ('registered', 'registered'), ('participants', 'participant'), ('girls', 'girl'), ('boys', 'boy'),
            ('mothers', 'mother'), ('fathers', 'father'), ('completed', 'completed'),
        ] %}
        {{ sum_with_key(count, counted ~ '_count') | indent(8) }},
        {%- endfor %}
        {{ count_where('is_lost') }} as lost,
        bool_and(is_survivor) as is_survivors_only,
        {{ sum_with_key('fill_rate_numerator', 'participant_count', "cohort_basis = 'startad' and not is_survivor")
            | indent(8) }},
        {{ sum_of('seat_count', "cohort_basis = 'startad' and not is_survivor") }} as fill_rate_denominator,
        {{ sum_with_key('seat_use_rate_numerator', 'participant_count',
            "cohort_basis = 'planerad' and is_started and not is_survivor") | indent(8) }},
        {{ sum_of('seat_count', "cohort_basis = 'planerad' and (is_started or is_cancelled) and not is_survivor") }}
            as seat_use_rate_denominator,
        -- of the groups that have started or been cancelled
        {{ rate_counts('cancellation_rate', 'is_cancelled',
            "cohort_basis = 'planerad' and (is_started or is_cancelled) and not is_survivor") | indent(8) }},
        {{ sum_with_key('completion_rate_numerator', 'completed_count', "cohort_basis = 'avslutad'") | indent(8) }},
        {{ sum_with_key('completion_rate_denominator', 'participant_count', "cohort_basis = 'avslutad'") | indent(8) }}
    from unit_rows
    group by {{ grouping_sets(keys, dimensions) | indent(4) }}
),

{{ zero_filled(keys, dimensions, counts + keys_of(persons), ['is_survivors_only']) }},

-- 4. Ranks of whole years (of single quarters they are mostly chance): each district's share of filled seats, with
-- simultaneous intervals for all districts of the cell
by_division as (
    select
        zero_filled.*,
        bases.district_basis,
        districts.kind = 'district'
        and zero_filled.fill_rate_denominator > 0
        and zero_filled.is_year
        and coalesce(completeness.quarters_in_force, 0) = 4 as is_ranked
    from zero_filled
    {{ join_bases('zero_filled') | indent(4) }}
    inner join {{ ref('dim_district') }} as districts
        on zero_filled.district_code = districts.district_code
    {{ join_completeness('zero_filled', 'grupper') | indent(4) }}
),

compared as (
    select
        *,
        fill_rate_numerator / cast(fill_rate_denominator as double) as score,
        least(fill_rate_numerator, fill_rate_denominator) as seats_filled,
        count(*) over (partition by {{ page | join(', ') }}) as compared_districts
    from by_division
    where is_ranked
),

scored as (
    select
        *,
        {{ sidak_z('compared_districts') }} as sidak_z
    from compared
),

limited as (
    select
        *,
        {{ score_limit('seats_filled', 'fill_rate_denominator', 'sidak_z', 'low', true) }} as score_low,
        greatest(
            score, {{ score_limit('seats_filled', 'fill_rate_denominator', 'sidak_z', 'high', true) }}
        ) as score_high
    from scored
),

ranks as (
    {{ district_ranks('limited', page) }}
)

select
    by_division.district_code,
    by_division.district_basis,
    {{ period_columns('by_division', dimensions) }},
    by_division.cohort_basis,
    by_division.intervention_category,
    by_division.intervention_code,
    {%- for count in counts[:12] %}
    by_division.{{ count }},
    {%- endfor %}
    by_division.fill_rate_numerator,
    by_division.fill_rate_denominator,
    -- more may take part than there are seats, so the rate may be above 1; the interval is of filled seats
    case
        when by_division.fill_rate_denominator > 0
            then by_division.fill_rate_numerator / cast(by_division.fill_rate_denominator as double)
    end as fill_rate,
    {{ wilson_limit('least(fill_rate_numerator, fill_rate_denominator)', 'fill_rate_denominator', 'low') | indent(4) }}
        as fill_rate_low,
    greatest(
        case
            when by_division.fill_rate_denominator > 0
                then by_division.fill_rate_numerator / cast(by_division.fill_rate_denominator as double)
        end,
        {{ wilson_limit('least(fill_rate_numerator, fill_rate_denominator)', 'fill_rate_denominator', 'high')
            | indent(8) }}
    ) as fill_rate_high,
    ranks.district_rank as fill_rank,
    ranks.district_rank_low as fill_rank_low,
    ranks.district_rank_high as fill_rank_high,
    ranks.ranked_districts,
    by_division.seat_use_rate_numerator,
    by_division.seat_use_rate_denominator,
    case
        when by_division.seat_use_rate_denominator > 0
            then by_division.seat_use_rate_numerator / cast(by_division.seat_use_rate_denominator as double)
    end as seat_use_rate,
    {{ rate('cancellation_rate') | indent(4) }},
    {{ rate('completion_rate') | indent(4) }},
    {{ is_cohort_complete('by_division', 'not coalesce(ripening.is_ripening, false)') }} as is_cohort_complete,
    coalesce(by_division.is_survivors_only, false) as is_survivors_only,
    {{ completeness_columns() }},
    by_division.lost,
    0 as unlinkable
    {{- private_columns('by_division', keys_of(persons)) }}
from by_division
{{ join_periods('by_division', dimensions) }}
left join ranks
    on
        {{ same_keys('by_division', 'ranks', page) }}
        and by_division.district_code = ranks.district_code
left join ripening
    on
        {{ same_keys('by_division', 'ripening', keys) }}
{{ join_completeness('by_division', 'grupper', 'by_division.district_basis') }}
