with by_form as (
    select
        district_code,
        period_kind,
        period,
        intervention_code,
        bool_or(form = 'service' and is_offered) as som_service,
        bool_or(form = 'bistand' and is_offered) as som_bistand
    from published.mart_supply
    where district_basis = 'today' and cut = 'form+intervention_code'
    group by district_code, period_kind, period, intervention_code
),

providers as (
    select
        listed.district_code,
        listed.period_kind,
        listed.period,
        listed.intervention_code,
        string_agg(known.provider_label, ', ' order by known.sort_order) as regi
    from (
        select
            district_code,
            period_kind,
            period,
            intervention_code,
            unnest(string_split(providers, '|')) as provider
        from published.mart_supply
        where district_basis = 'today' and cut = 'intervention_code'
    ) as listed
    inner join published.dim_provider as known on listed.provider = known.provider
    group by listed.district_code, listed.period_kind, listed.period, listed.intervention_code
),

languages as (
    select
        listed.district_code,
        listed.period_kind,
        listed.period,
        listed.intervention_code,
        string_agg(known.language_label, ', ' order by known.language_label) as sprak
    from (
        select
            district_code,
            period_kind,
            period,
            intervention_code,
            unnest(string_split(languages, '|')) as language_code
        from published.mart_supply
        where district_basis = 'today' and cut = 'intervention_code'
    ) as listed
    inner join published.dim_language as known on listed.language_code = known.language_code
    group by listed.district_code, listed.period_kind, listed.period, listed.intervention_code
)

select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.intervention_category as insatskategori,
    district.intervention_code as insats,
    district.is_offered as erbjuds,
    district.supply_planned > 0 as planeras,
    coalesce(by_form.som_service, false) as som_service,
    coalesce(by_form.som_bistand, false) as som_bistand,
    coalesce(providers.regi, '') as regi,
    coalesce(languages.sprak, '') as sprak,
    district.without_session_limit > 0 as utan_tak,
    district.session_limit_highest as hogsta_antal_samtal,
    district.quoted_wait_mean_days as uppgiven_vantetid_dagar,
    city.districts_offering as stadsdelar_som_erbjuder,
    city.districts_in_force as stadsdelar_med_uppgift,
    district.is_provisional as preliminar
from published.mart_supply as district
left join by_form
    on
        district.district_code = by_form.district_code
        and district.period_kind = by_form.period_kind
        and district.period = by_form.period
        and district.intervention_code = by_form.intervention_code
left join providers
    on
        district.district_code = providers.district_code
        and district.period_kind = providers.period_kind
        and district.period = providers.period
        and district.intervention_code = providers.intervention_code
left join languages
    on
        district.district_code = languages.district_code
        and district.period_kind = languages.period_kind
        and district.period = languages.period
        and district.intervention_code = languages.intervention_code
left join published.mart_supply as city
    on
        city.district_code = whole_code()
        and city.district_basis = 'today'
        and city.cut = 'intervention_code'
        and district.period_kind = city.period_kind
        and district.period = city.period
        and district.intervention_code = city.intervention_code
where
    district.district_basis = 'today' and district.cut = 'intervention_code'
    and district.district_code <> whole_code()
