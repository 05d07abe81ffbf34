with elsewhere as (
    select
        needed.district_code,
        needed.period_kind,
        needed.period,
        needed.intervention_code,
        string_agg(known.district_label || ' ' || needed.seats_free, ', ' order by known.sort_order) as listed
    from published.mart_vacancies as needed
    inner join published.dim_district as known on needed.seats_district_code = known.district_code
    where needed.district_basis = 'today' and needed.seats_district_code <> 'alla'
    group by needed.district_code, needed.period_kind, needed.period, needed.intervention_code
)

select
    needed.district_code as stadsdel,
    needed.period_kind as periodtyp,
    needed.period,
    needed.intervention_code as insats,
    needed.queue as ko,
    needed.own_seats_free as egna_lediga_platser,
    needed.seats_free as lediga_platser_hos_andra,
    needed.places_possible as kan_fa_plats,
    needed.earliest_start_date as tidigaste_start,
    elsewhere.listed as var_platserna_finns,
    needed.is_provisional as preliminar
from published.mart_vacancies as needed
inner join elsewhere
    on
        needed.district_code = elsewhere.district_code
        and needed.period_kind = elsewhere.period_kind
        and needed.period = elsewhere.period
        and needed.intervention_code = elsewhere.intervention_code
where needed.district_basis = 'today' and needed.seats_district_code = 'alla' and needed.district_code <> whole_code()
