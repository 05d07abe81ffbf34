with by_cohort as (
    select
        district_code,
        period_kind,
        period,
        max(case when cohort_basis = 'inkommen' then cases end) as inkomna_arenden,
        max(case when cohort_basis = 'avgjord' then cases end) as avgjorda_arenden,
        max(case when cohort_basis = 'avgjord' then investigations end) as inledda_utredningar,
        max(case when cohort_basis = 'avslutad' then concluded end) as avslutade_utredningar,
        max(case when cohort_basis = 'avslutad' then offered end) as erbjudna_insats,
        max(case when cohort_basis = 'avslutad' then accepted end) as tackat_ja,
        max(case when cohort_basis = 'avgjord' then investigation_rate end) as andel_utredda,
        max(case when cohort_basis = 'avgjord' then investigation_rate_low end) as andel_utredda_lag,
        max(case when cohort_basis = 'avgjord' then investigation_rate_high end) as andel_utredda_hog,
        max(case when cohort_basis = 'avslutad' then offer_rate end) as andel_erbjudna,
        max(case when cohort_basis = 'avslutad' then offer_rate_low end) as andel_erbjudna_lag,
        max(case when cohort_basis = 'avslutad' then offer_rate_high end) as andel_erbjudna_hog,
        max(case when cohort_basis = 'avslutad' and is_cohort_complete then acceptance_rate end) as andel_tackat_ja,
        max(
            case when cohort_basis = 'avslutad' and is_cohort_complete then acceptance_rate_low end
        ) as andel_tackat_ja_lag,
        max(
            case when cohort_basis = 'avslutad' and is_cohort_complete then acceptance_rate_high end
        ) as andel_tackat_ja_hog,
        coalesce(bool_or(cohort_basis = 'avslutad' and is_cohort_complete), false) as has_answers,
        bool_or(is_provisional) as preliminar
    from published.mart_case_flow
    where district_basis = 'today' and cut = 'total'
    group by district_code, period_kind, period
)

select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    coalesce(district.inkomna_arenden, 0) as inkomna_arenden,
    coalesce(district.avgjorda_arenden, 0) as avgjorda_arenden,
    coalesce(district.inledda_utredningar, 0) as inledda_utredningar,
    coalesce(district.avslutade_utredningar, 0) as avslutade_utredningar,
    coalesce(district.erbjudna_insats, 0) as erbjudna_insats,
    coalesce(district.tackat_ja, 0) as tackat_ja,
    district.andel_utredda,
    district.andel_utredda_lag,
    district.andel_utredda_hog,
    city.andel_utredda as staden_andel_utredda,
    district.andel_erbjudna,
    district.andel_erbjudna_lag,
    district.andel_erbjudna_hog,
    city.andel_erbjudna as staden_andel_erbjudna,
    district.andel_tackat_ja,
    district.andel_tackat_ja_lag,
    district.andel_tackat_ja_hog,
    city.andel_tackat_ja as staden_andel_tackat_ja,
    (
        district.andel_utredda is null
        or district.andel_erbjudna is null
        or (district.has_answers and district.andel_tackat_ja is null)
    ) as for_fa,
    not(district.has_answers and coalesce(city.has_answers, false)) as vantar_pa_tid,
    district.preliminar
from by_cohort as district
left join by_cohort as city
    on
        city.district_code = whole_code()
        and district.period_kind = city.period_kind
        and district.period = city.period
where district.district_code <> whole_code()
