select * from {{ validated('rutiner') }}
