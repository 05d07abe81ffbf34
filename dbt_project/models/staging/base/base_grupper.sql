select * from {{ validated('grupper') }}
