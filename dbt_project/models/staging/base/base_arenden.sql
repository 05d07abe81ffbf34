select * from {{ validated('arenden') }}
