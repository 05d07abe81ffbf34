select * from {{ validated('utbud') }}
