select
    district.district_code as stadsdel,
    district.period_kind as periodtyp,
    district.period,
    district.sex as kon,
    district.offered as erbjudna,
    district.accepted as tackat_ja,
    district.started as paborjade,
    district.ended as avslutade,
    district.completed as fullfoljda,
    district.goal_reached as natt_malet,
    district.followed_up as uppfoljda,
    district.is_provisional as preliminar
from published.mart_intervention_chain as district
where
    district.district_basis = 'today' and district.cut = 'sex'
    and district.district_code <> whole_code()
