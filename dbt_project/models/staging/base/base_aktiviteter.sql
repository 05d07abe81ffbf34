select * from {{ validated('aktiviteter') }}
