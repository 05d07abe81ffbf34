select * from {{ validated('oppenvard') }}
