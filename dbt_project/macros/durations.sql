{#-
    Durations from counts by whole day, of what has ended (`closed`) and of what still went on when last known
    (`censored`). Expects a CTE with the columns of `cell`, `whole_days`, `closed` and `censored`, one row per cell and day;
    makes `durations` with the columns of `cell`, the closed-only `closed_n`, `closed_mean_days`, `closed_median_days`
    and `closed_p90_days`, and `km_median_days`.

    Kaplan-Meier (E. L. Kaplan, P. Meier, JASA 53, 1958): the share that goes on past day t is the product over days up
    to t of 1 - closed / at risk, where those censored on a day are still at risk on it. The median is the first day
    on which that share is a half or less; null while more than half are not known to have ended.
    The closed-only quantiles are interpolated between neighbours, as `quantile_cont` does.
-#}
{% macro durations(cell, counted) -%}
{%- set cell_columns = cell | join(', ') -%}
summed_by_day as (
    select
        {{ cell_columns }},
        whole_days,
        closed,
        censored,
        cast(sum(closed) over so_far as integer) as closed_so_far,
        cast(sum(closed) over in_all as integer) as closed_n,
        cast(sum(closed + censored) over so_far as integer) as gone_so_far,
        cast(sum(closed + censored) over in_all as integer) as known_n
    from {{ counted }}
    window
        so_far as (
            partition by {{ cell_columns }} order by whole_days rows between unbounded preceding and current row
        ),
        in_all as (
            partition by {{ cell_columns }} order by whole_days rows between unbounded preceding and unbounded following
        )
),

risked as (
    select
        {{ cell_columns }},
        whole_days,
        closed,
        closed_n,
        closed_so_far,
        known_n - gone_so_far + closed + censored as at_risk
    from summed_by_day
),

surviving as (
    select
        {{ cell_columns }},
        whole_days,
        closed,
        closed_n,
        closed_so_far,
        -- the product as a sum of logarithms; past a day on which all at risk ended nobody goes on: it is the last
        case
            when at_risk = closed then 0e0
            else
                exp(sum(case when at_risk > closed then ln((at_risk - closed) / cast(at_risk as double)) else 0e0 end)
                over (
                    partition by {{ cell_columns }} order by whole_days
                    rows between unbounded preceding and current row
                ))
        end as surviving_share
    from risked
),

durations as (
    select
        {{ cell_columns }},
        cast(max(closed_n) as integer) as closed_n,
        sum(closed * whole_days) / cast(nullif(max(closed_n), 0) as double) as closed_mean_days,
        {{ quantile_of_counts(0.5) | indent(8) }} as closed_median_days,
        {{ quantile_of_counts(0.9) | indent(8) }} as closed_p90_days,
        -- rounding must not move a share of exactly a half
        min(case when surviving_share <= 0.5 + 1e-9 then whole_days end) as km_median_days
    from surviving
    group by {{ cell_columns }}
)
{%- endmacro %}

{#- The value at place (n - 1) * share, counted from 0, among days told with their counts; between two, interpolated. -#}
{% macro quantile_of_counts(share) -%}
    {%- set place = '((closed_n - 1) * ' ~ share ~ 'e0)' -%}
    min(case when closed_so_far > floor{{ place }} then cast(whole_days as double) end)
    + (
        min(case when closed_so_far > ceil{{ place }} then cast(whole_days as double) end)
        - min(case when closed_so_far > floor{{ place }} then cast(whole_days as double) end)
    ) * max({{ place }} - floor{{ place }})
{%- endmacro %}

{#-
    The CTEs `numbered` and `by_day`: `cells` with a number, and `counted_by_day` (by `told_number`, `columns` and `kept`) with
    that number in place of the cell's columns, as days are put in order cell by cell.
-#}
{% macro cells_by_day(columns, kept=[]) -%}
numbered as (
    select
        *,
        row_number() over () as cell_number
    from cells
),

by_day as (
    select
        numbered.cell_number,
        {%- for column in kept %}
        counted_by_day.{{ column }},
        {%- endfor %}
        counted_by_day.whole_days,
        counted_by_day.closed,
        counted_by_day.censored
    from counted_by_day
    inner join numbered
        on
            counted_by_day.told_number = numbered.told_number
            {%- for column in columns %}
            and counted_by_day.{{ column }} = numbered.{{ column }}
            {%- endfor %}
)
{%- endmacro %}
