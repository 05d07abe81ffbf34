select * from {{ validated('serviceinsatser') }}
