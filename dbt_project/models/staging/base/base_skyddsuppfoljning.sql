select * from {{ validated('skyddsuppfoljning') }}
