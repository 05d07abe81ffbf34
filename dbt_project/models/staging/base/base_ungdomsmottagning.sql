select * from {{ validated('ungdomsmottagning') }}
